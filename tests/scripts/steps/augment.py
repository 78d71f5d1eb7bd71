"""A DataLoader without workers, whose dataset augments images with random numbers."""
import torch
from told import at, begin
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Images(Dataset):
    def __init__(self, count):
        self.images = torch.rand(count, 1, 6, 6)
        self.labels = torch.randint(0, 2, (count,))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]
        if torch.rand(()) < 0.5:
            image = image.flip(-1)
        image = (image + 0.1 * torch.randn_like(image)).clamp(0, 1)
        return image, self.labels[index]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.fc = nn.Linear(3 * 16, 2)

    def forward(self, x):
        return self.fc(self.conv(x).relu().flatten(1))


def main():
    torch.manual_seed(0)
    loader = DataLoader(Images(12), batch_size=4, shuffle=True, drop_last=True)
    net = Net()
    optimizer = torch.optim.NAdam(net.parameters(), lr=1e-2)
    for epoch in range(2):
        begin("train")
        for images, labels in loader:
            at("forward")
            logits = net(images)
            loss = nn.functional.cross_entropy(logits, labels)
            at("backward")
            loss.backward()
            at("optimizer")
            optimizer.step()
            optimizer.zero_grad()
            at("other")
            correct = (logits.argmax(1) == labels).sum().item()
            begin("train")
        print(epoch, correct)


main()
