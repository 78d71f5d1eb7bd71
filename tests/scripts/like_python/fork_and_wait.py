"""Forks, twice, and ends the children differently."""
import os
import sys

for code in (0, 5):
    child = os.fork()
    if child == 0:
        print("child", code)
        sys.stdout.flush()
        os._exit(code)
    print("parent saw", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    sys.stdout.flush()
