import subprocess, sys
print(subprocess.run([sys.executable, "-c", "import sys; print(sys.argv, __name__, sys.path[0])", "-c", "x"], capture_output=True, text=True))
