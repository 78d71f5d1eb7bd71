import subprocess, sys
for f in ("-I", "-E", "-S", "-sP", "-B", "-u", "-OO", "-Werror", "-Xutf8"):
    print(f, subprocess.run([sys.executable, f, "-c", "import sys; print(sys.flags, 'sitecustomize' in sys.modules)"], capture_output=True, text=True))
