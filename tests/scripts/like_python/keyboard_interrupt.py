"""Interrupts itself: the traceback is Python's, and the process ends by SIGINT."""
import os
import signal
import time

os.kill(os.getpid(), signal.SIGINT)
time.sleep(5)
