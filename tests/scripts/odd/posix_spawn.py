import os, sys
p = os.posix_spawn(sys.executable, [sys.executable, "-c", "raise SystemExit(9)"], os.environ); print(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]))
