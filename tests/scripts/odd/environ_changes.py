import os, subprocess, sys
os.environ["PYTHONPATH"] = "/nonexistent"
os.environ["X"] = "1"
print(subprocess.run([sys.executable, "-c", "import os; print(os.environ['X'], os.environ['PYTHONPATH'])"], capture_output=True, text=True))
