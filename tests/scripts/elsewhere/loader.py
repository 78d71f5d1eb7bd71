"""A model fed by DataLoader workers, forked and spawned; the workers compute, too."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset[torch.Tensor]):
    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> torch.Tensor:
        big = torch.full((50_000,), float(index)).cumsum(0)
        return torch.sin(torch.full((3,), float(index))) + big[:3]


def main() -> None:
    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    for context in sys.argv[1:]:
        workers = 2 if context == "fork" else 1
        loader = DataLoader(Noisy(), batch_size=4, num_workers=workers, multiprocessing_context=context)
        for batch in loader:
            optimizer.zero_grad()
            loss = net(batch).pow(2).mean()
            loss.backward()
            optimizer.step()
            print(context, loss.item(), flush=True)


if __name__ == "__main__":
    main()
