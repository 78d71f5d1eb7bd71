import ctypes, os
l = ctypes.CDLL(None, use_errno=True)
print(l.close(987), os.strerror(ctypes.get_errno()), l.getpid() == os.getpid())
