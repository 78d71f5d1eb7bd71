import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
for d in (torch.float16, torch.bfloat16, torch.float64, torch.complex64, torch.int8, torch.bool, torch.uint8, torch.float8_e4m3fn):
    t = torch.tensor([0, 1, 2]).to(d); print(t, t.to(torch.complex64).sum().item())
print(torch.tensor([0.]).log() * 0, torch.empty(0).sum(), torch.ones(1).expand(10**9).stride(), torch.zeros(0, 3).shape); show()
