"""Handlers of its own, an interval timer, and what it finds installed."""
import signal
import time

print({s.name: str(signal.getsignal(s)).split(" at ")[0] for s in sorted(signal.valid_signals(), key=int) if isinstance(s, signal.Signals)})
print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
ticks = []
signal.signal(signal.SIGALRM, lambda number, frame: ticks.append(number))
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
until = time.monotonic() + 5
while len(ticks) < 10 and time.monotonic() < until:
    time.sleep(0.001)
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(ticks) >= 10)
