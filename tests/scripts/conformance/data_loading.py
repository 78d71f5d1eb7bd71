"""Data sets of both kinds, samplers, weighted and batched, collation, splits, augmentation."""

import torch
from torch.utils import data


class Squares(data.Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, k):
        x = torch.full((2,), float(k))
        return {"x": x + torch.rand(2) * 0.1, "y": x.sum() ** 2, "name": f"n{k}"}


class Stream(data.IterableDataset):
    def __iter__(self):
        for k in range(5):
            yield torch.tensor([k, k + 1.0]).flip(0)


torch.manual_seed(0)
first, second = data.random_split(Squares(), [7, 3])
weighted = data.WeightedRandomSampler([0.1, 0.5, 1.0, 1.0, 0.2, 0.3, 0.4], 6)
net = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for epoch in range(2):
    for batch in data.DataLoader(first, batch_size=3, sampler=weighted):
        optimizer.zero_grad()
        loss = (net(batch["x"]).squeeze(1) - batch["y"]).pow(2).mean()
        loss.backward()
        optimizer.step()
        print(epoch, batch["name"], loss.item())
print([b.tolist() for b in data.DataLoader(Stream(), batch_size=2, drop_last=True)])
sampler = data.BatchSampler(data.RandomSampler(range(6), generator=torch.Generator().manual_seed(1)), 4, False)
print(list(sampler), [len(b["x"]) for b in data.DataLoader(data.ConcatDataset([first, second]), 4, shuffle=True)])
loader = data.DataLoader(Squares(), 4, collate_fn=lambda items: torch.stack([item["x"] for item in items]).mean(0))
print(sum(x.sum().item() for x in loader), data.Subset(Squares(), [3])[0]["name"], len(data.TensorDataset(torch.ones(3))))
