import sys
f = sys._getframe()
depth = 0
while f: depth += 1; f = f.f_back
print(depth, sorted(k for k in globals() if not k.startswith("_")))
