import asyncio, sys
async def main():
    p = await asyncio.create_subprocess_exec(sys.executable, "-c", "import sys; print(sys.stdin.read()[::-1]); sys.exit(5)", stdin=-1, stdout=-1)
    print(await p.communicate(b"abc"), p.returncode)
asyncio.run(main())
