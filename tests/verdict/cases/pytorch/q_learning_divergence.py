"""Linear Q-learning with bootstrapped targets and features that share weights."""

import torch

torch.manual_seed(42)
features = torch.tensor([[1.0, 0.0], [2.0, 0.1], [4.0, 0.2], [8.0, 0.1]])
successor = torch.tensor([1, 2, 3, 3])
reward = torch.tensor([0.0, 0.0, 1.0, 0.0])
gamma, lr = 0.99, 0.08
weights = torch.ones(2, requires_grad=True)

for update in range(60):
    with torch.no_grad():
        target = reward + gamma * features[successor] @ weights
    td_error = target[:3] - features[:3] @ weights
    loss = td_error.square().mean()  # born: op=aten.pow.Tensor_Scalar kind=inf phase=forward step=58 module= reached=loss growth=yes
    (gradient,) = torch.autograd.grad(loss, weights)
    with torch.no_grad():
        weights -= lr * gradient
    if update % 10 == 0:
        print(update, loss.item(), weights.tolist())
