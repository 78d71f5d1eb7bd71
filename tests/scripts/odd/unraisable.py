import sys
class A:
    def __del__(self): raise ValueError("unraisable")
a = A(); del a
print("ok")
