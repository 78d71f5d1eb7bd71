"""What of ours is in the process: nothing, when no framework was imported."""
import os
import sys
import threading

print([name for name in sys.modules if "graphlens" in name or "customize" in name])
print([thread.name for thread in threading.enumerate()], sorted(os.listdir("/proc/self/fd"), key=int)[:3], len(os.listdir("/proc/self/task")))
