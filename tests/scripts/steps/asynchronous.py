"""asyncio: batches come out of a queue, the loop awaits them."""
import asyncio

import torch
from told import at, begin
from torch import nn

torch.manual_seed(0)
raw = torch.randn(8, 4, 3)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)


async def produce(queue):
    for index in range(8):
        await queue.put(index)
        await asyncio.sleep(0)
    await queue.put(None)


async def train(queue):
    while (index := await queue.get()) is not None:
        begin("train")
        batch = raw[index]
        at("forward")
        loss = model(batch).square().mean()
        at("optimizer")
        optimizer.zero_grad()
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
        await asyncio.sleep(0)


async def main():
    queue = asyncio.Queue(2)
    await asyncio.gather(produce(queue), train(queue))


asyncio.run(main())
