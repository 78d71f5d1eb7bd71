import types, sys
print(type(sys.stdout), type(sys.stdin.buffer), sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits())
