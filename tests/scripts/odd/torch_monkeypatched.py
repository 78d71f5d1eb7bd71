import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
old = torch.Tensor.add; torch.Tensor.add = lambda s, o: old(s, o) * 2; print(x.add(1).sum().item()); torch.Tensor.add = old
of = torch.nn.Module.__call__; n = []
torch.nn.Module.__call__ = lambda s, *a, **k: (n.append(type(s).__name__), of(s, *a, **k))[1]; net(x); print(n); show()
