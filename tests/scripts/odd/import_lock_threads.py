import threading, importlib
names = ["wave", "colorsys", "chunk", "sndhdr", "this"][:3]
ts = [threading.Thread(target=importlib.import_module, args=(n,)) for n in names * 4]
[t.start() for t in ts]; [t.join() for t in ts]
import sys; print([n in sys.modules for n in names])
