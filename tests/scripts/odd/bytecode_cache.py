import os, sys
open("helper_module.py", "w").write("X = 1\n")
sys.path.insert(0, ".")
import helper_module
print(helper_module.X, sorted(os.listdir(".")), sys.dont_write_bytecode)
