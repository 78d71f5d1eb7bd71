import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import signal, time
n = []
signal.signal(signal.SIGALRM, lambda *a: n.append((torch.ones(3) * 2).sum().item())); signal.setitimer(signal.ITIMER_REAL, .002, .002)
t = time.monotonic(); w = torch.ones(4, 4)
while len(n) < 30: w = (w @ w).clamp(-1, 1)
signal.setitimer(signal.ITIMER_REAL, 0); print(set(n), w.sum().item()); show()
