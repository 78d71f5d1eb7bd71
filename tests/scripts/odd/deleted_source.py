import os, sys, traceback, inspect
os.rename(__file__, "moved") if os.path.dirname(os.path.abspath(__file__)) == os.getcwd() else None
def f(): raise KeyError("x")
try: f()
except KeyError: print(traceback.format_exc().count("line"))
