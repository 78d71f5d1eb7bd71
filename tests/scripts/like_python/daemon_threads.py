"""Daemon threads that are still busy when the interpreter ends."""
import threading
import time

busy = threading.Event()


def spin():
    busy.set()
    while True:
        time.sleep(0.001)


for _ in range(4):
    threading.Thread(target=spin, daemon=True).start()
busy.wait()
late = threading.Thread(target=lambda: (time.sleep(0.05), print("late thread")))
late.start()
print("main ends", threading.active_count())
