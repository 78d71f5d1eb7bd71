import signal, time
n = 0
def h(*a):
    global n; n += 1
signal.signal(signal.SIGALRM, h); signal.setitimer(signal.ITIMER_REAL, .001, .001)
t = time.monotonic()
while n < 50: sum(range(100))
signal.setitimer(signal.ITIMER_REAL, 0); print(n >= 50)
