import asyncio
async def bad(): raise ValueError("never awaited")
async def main():
    t = asyncio.create_task(bad()); await asyncio.sleep(0); del t
    import gc; gc.collect()
asyncio.run(main())
