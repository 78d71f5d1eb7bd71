import sys
try: sys.exit("first")
finally:
    try: sys.exit(7)
    except SystemExit as e: print(e.code)
