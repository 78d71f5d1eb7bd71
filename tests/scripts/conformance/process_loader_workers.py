"""Workers of a loader, forked and spawned, with a training loop in the first process."""

import torch
from torch.utils.data import DataLoader, Dataset


class Numbers(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, k):
        return torch.full((3,), float(k)).sin()


def main():
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for context in ("fork", "spawn"):
        for batch in DataLoader(Numbers(), 4, num_workers=1, multiprocessing_context=context):
            optimizer.zero_grad()
            loss = net(batch).pow(2).mean()
            loss.backward()
            optimizer.step()
            print(context, loss.item())


if __name__ == "__main__":
    main()
