import os, sys, time
r, w = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(5, 256); os.write(w, b"daemon"); os._exit(0)
    os._exit(0)
os.wait(); os.close(w); print(os.read(r, 20))
