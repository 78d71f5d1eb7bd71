import weakref, gc
class A:
    def __init__(s, n): s.n = n
    def __del__(s): print("del", s.n)
a = A(1); a.me = a; b = A(2)
weakref.finalize(b, print, "fin")
del a; gc.collect(); print(gc.get_count()[2] >= 0, gc.isenabled(), gc.get_threshold())
