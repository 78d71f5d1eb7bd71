import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import threading
rs = [None] * 4
def f(i):
    g = torch.Generator().manual_seed(i); a = torch.randn(8, 8, generator=g, requires_grad=True); (a @ a).tanh().sum().backward(); rs[i] = a.grad.sum().item()
ts = [threading.Thread(target=f, args=(i,)) for i in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]; print(rs); show()
