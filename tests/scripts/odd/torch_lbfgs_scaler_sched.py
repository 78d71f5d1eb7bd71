import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
o = torch.optim.LBFGS(net.parameters(), lr=.1, max_iter=4)
def c(): o.zero_grad(); l = net(x).pow(2).mean(); l.backward(); return l
print(o.step(c).item()); s = torch.optim.lr_scheduler.StepLR(o, 1); s.step(); print(s.get_last_lr()); show()
