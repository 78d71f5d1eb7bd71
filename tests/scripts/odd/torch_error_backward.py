import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import traceback
class F(torch.autograd.Function):
    @staticmethod
    def forward(c, a): return a * 2
    @staticmethod
    def backward(c, g): raise ValueError("mine")
try: F.apply(x.clone().requires_grad_()).sum().backward()
except ValueError: traceback.print_exc()
y = x.clone().requires_grad_(); z = y.sum(); z.backward(); z.backward() if False else print(z)
w = (y * y).sum(); w.backward(); w.backward()
