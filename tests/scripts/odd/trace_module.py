import sys
lines = []
def tr(f, e, a):
    if f.f_code.co_name == "g": lines.append((e, f.f_lineno - f.f_code.co_firstlineno))
    return tr
def g():
    a = 1
    return a
sys.settrace(tr); g(); sys.settrace(None); print(lines)
