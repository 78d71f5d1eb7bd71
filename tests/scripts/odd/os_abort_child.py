import subprocess, sys
print(subprocess.run([sys.executable, "-c", "import os; os.abort()"]).returncode)
