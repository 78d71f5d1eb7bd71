import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import sys
class R(torch.nn.Module):
    def forward(s, a, n): return a + 1 if n == 0 else s(a, n - 1) * 1
r = R(); print(r(x, 100).sum().item()); sys.setrecursionlimit(400)
try: r(x, 1000)
except RecursionError as e: print("deep", str(e)[:33])
sys.setrecursionlimit(1000); show()
