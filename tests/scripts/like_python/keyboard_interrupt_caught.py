"""Catches the interrupt and tidies up."""
import os
import signal
import sys
import time

try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
except KeyboardInterrupt:
    print("tidied up")
    sys.exit(9)
