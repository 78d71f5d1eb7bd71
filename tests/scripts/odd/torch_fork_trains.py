import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import os
y = net(x).sum(); y.backward()
r, w = os.pipe()
if os.fork() == 0:
    o = torch.optim.SGD(net.parameters(), .1); o.step(); os.write(w, repr(net(x).sum().item()).encode()); os._exit(0)
os.wait(); print(os.read(r, 99)); show()
