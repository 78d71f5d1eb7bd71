"""Standard output and error, mixed."""
import sys

for k in range(5):
    print("out", k, flush=True)
    print("err", k, file=sys.stderr, flush=True)
sys.stderr.buffer.write(b"\xff\xfe\n")
