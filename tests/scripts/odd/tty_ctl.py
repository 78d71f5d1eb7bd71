import os
for f in (0, 1, 2):
    try: os.ttyname(f); print(f, "tty")
    except OSError as e: print(f, e)
