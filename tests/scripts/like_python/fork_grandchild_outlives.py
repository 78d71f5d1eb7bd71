"""A child that outlives it and keeps its standard output."""
import os
import time

if os.fork() == 0:
    time.sleep(0.3)
    os.write(1, b"grandchild speaks last\n")
    os._exit(0)
print("parent ends first", flush=True)
