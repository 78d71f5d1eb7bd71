# stdin: abc\0def
import sys; print(sys.stdin.buffer.read(), sys.stdin.closed)
