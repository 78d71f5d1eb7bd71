import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import torch.utils._pytree as tree
class Wrap(torch.Tensor):
    @staticmethod
    def __new__(cls, t): r = torch.Tensor._make_wrapper_subclass(cls, t.shape, dtype=t.dtype); r.t = t; return r
    @classmethod
    def __torch_dispatch__(cls, f, types, args=(), kwargs=None):
        calls.append(str(f)); u = lambda a: a.t if isinstance(a, Wrap) else a
        return tree.tree_map(lambda o: Wrap(o) if isinstance(o, torch.Tensor) else o, f(*tree.tree_map(u, args), **tree.tree_map(u, kwargs or {})))
calls = []; w = Wrap(torch.ones(3)); y = (w * 2 + w).sum(); print(y.t, calls)
show()
