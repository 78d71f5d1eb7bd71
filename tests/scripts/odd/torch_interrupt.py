import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import signal, os
class K(torch.nn.Module):
    def forward(s, a): os.kill(os.getpid(), signal.SIGINT); return a + 1
try: K()(x)
except KeyboardInterrupt: print("caught")
net(x); os.kill(os.getpid(), signal.SIGINT); print("never")
