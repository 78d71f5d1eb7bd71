import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import torch.multiprocessing as mp
def f(i, q): q.put((i, torch.ones(2).mul(i).sum().item()))
if __name__ == "__main__":
    q = mp.get_context("spawn").SimpleQueue(); mp.spawn(f, (q,), nprocs=2); print(sorted(q.get() for _ in range(2))); show()
