"""Training inside of coroutines that take turns."""

import asyncio

import torch
from torch import nn


async def train(name, seed, queue):
    torch.manual_seed(seed)
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(3):
        x = await queue.get()
        optimizer.zero_grad()
        loss = net(x).pow(2).mean()
        await asyncio.sleep(0)
        loss.backward()
        optimizer.step()
        print(name, step, loss.item())


async def feed(queues):
    for k in range(3):
        for queue in queues:
            await queue.put(torch.full((2, 2), k + 1.0))
            await asyncio.sleep(0)


async def main():
    queues = [asyncio.Queue(), asyncio.Queue()]
    await asyncio.gather(feed(queues), train("a", 1, queues[0]), train("b", 2, queues[1]))
    async for value in numbers():
        print(value.item())


async def numbers():
    for k in range(2):
        yield torch.tensor(k) + 1


asyncio.run(main())
