import os, sys
os.close(2); print("x"); 
try: sys.stderr.write("y"); sys.stderr.flush()
except OSError as e: print(e)
sys.exit(2)
