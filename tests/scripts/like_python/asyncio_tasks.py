"""An event loop with a subprocess."""
import asyncio
import sys


async def child():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print('child')", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out


async def main():
    print(await asyncio.gather(child(), asyncio.sleep(0, "slept")))


asyncio.run(main())
