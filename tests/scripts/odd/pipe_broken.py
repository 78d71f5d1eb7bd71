import os, sys, signal
print(signal.getsignal(signal.SIGPIPE), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, []))
r, w = os.pipe(); os.close(r)
try: os.write(w, b"x")
except BrokenPipeError as e: print(e)
