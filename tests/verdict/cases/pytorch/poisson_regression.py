"""Poisson regression of event counts on the minutes observed."""

import torch

torch.manual_seed(64)
minutes = torch.randint(5, 120, (50, 1)).float()
events = torch.poisson(0.05 * minutes)
model = torch.nn.Linear(1, 1)
torch.nn.init.constant_(model.weight, 0.01)
torch.nn.init.zeros_(model.bias)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

for step in range(5):
    log_rate = model(minutes)
    loss = torch.nn.functional.poisson_nll_loss(log_rate, events)  # born: op=aten.exp.default kind=inf phase=forward step=1 module= reached=loss
    if torch.isinf(loss) or torch.isnan(loss):
        raise FloatingPointError(f"loss became {loss.item()} in step {step}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
