import sys

if sys.argv[1] == "import":
    raise ImportError("libtorch.so: cannot open shared object file")
if sys.argv[1] == "runtime":
    raise RuntimeError("no such device")
if sys.argv[1] == "exit":
    sys.exit("gives up")
from torch import part
