import asyncio
async def gen():
    try:
        for i in range(10): yield i
    finally: print("closed")
async def main():
    async for x in gen():
        if x == 3: break
    await asyncio.sleep(0)
    async with asyncio.timeout(5): print(await asyncio.gather(*(asyncio.sleep(0, i) for i in range(5))))
asyncio.run(main())
