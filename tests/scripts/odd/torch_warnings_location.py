import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import warnings
torch.searchsorted(torch.arange(8.)[::2], torch.ones(4, 4)[:, ::2]); torch.add(torch.ones(2), 1, out=torch.empty(3))
class F(torch.autograd.Function):
    @staticmethod
    def forward(c, a): warnings.warn("apply", stacklevel=2); return a * 2
    @staticmethod
    def backward(c, g): warnings.warn("back", stacklevel=3); return g
class O(torch.optim.SGD):
    def __init__(s, p): warnings.warn("made", stacklevel=2); super().__init__(p, .1)
O(net.parameters()); F.apply(x.clone().requires_grad_()).sum().backward()
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always"); torch.nn.functional.mse_loss(torch.ones(2, 1), torch.ones(2)); torch.ones(2, 1, requires_grad=True).grad; (x.clone().requires_grad_() * 1).grad
    o = torch.optim.SGD(net.parameters(), .1); torch.optim.lr_scheduler.StepLR(o, 1).step()
for m in w: print(m.category.__name__, m.filename.rsplit("/", 1)[-1], m.lineno, str(m.message)[:50])
show()
