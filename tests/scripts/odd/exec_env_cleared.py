import os, sys
os.execve(sys.executable, [sys.executable, "-c", "import os; print(sorted(k for k in os.environ if k != 'LC_CTYPE'))"], {})
