import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import sys
fs = set()
def tr(f, e, a): fs.add(f.f_code.co_filename.rsplit("/", 1)[-1]); return None
sys.setprofile(lambda f, e, a: fs.add("P:" + f.f_code.co_name) if e == "call" and "odd" in f.f_code.co_filename else None)
def mine(): return net(x)
mine(); sys.setprofile(None); print(sorted(fs)); show()
