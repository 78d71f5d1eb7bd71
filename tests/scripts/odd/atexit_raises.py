import atexit
@atexit.register
def f(): raise RuntimeError("at exit")
@atexit.register
def g(): print("first")
