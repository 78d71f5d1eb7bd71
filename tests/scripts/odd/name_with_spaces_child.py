import os, subprocess, sys
n = "a b 'q' \u65e5 $x.py"
open(n, "w").write("import sys; print(ascii(sys.argv))")
print(subprocess.run([sys.executable, n], capture_output=True, text=True).stdout)
