import sys, threading
sys.excepthook = lambda *a: print("hook", a[0].__name__, a[1])
threading.excepthook = lambda a: print("thread", a.exc_type.__name__)
t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()
raise ValueError("z")
