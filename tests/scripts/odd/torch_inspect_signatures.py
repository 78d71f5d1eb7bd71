import hashlib
import torch
torch.manual_seed(7); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)); x = torch.randn(5, 4)
def show():
    h = hashlib.sha256()
    for t in (*net.state_dict().values(), *(p.grad for p in net.parameters() if p.grad is not None), x.detach(), torch.get_rng_state()): h.update(t.numpy().tobytes())
    print(h.hexdigest())
import inspect, pickle, copy
print(inspect.signature(torch.optim.SGD.__init__), inspect.signature(torch.autograd.Function.apply) if 0 else "", torch.optim.Optimizer.__init__.__name__, torch.utils.swap_tensors.__name__)
print(pickle.loads(pickle.dumps(net)).state_dict().keys(), copy.deepcopy(net)[0].weight.sum().item()); show()
