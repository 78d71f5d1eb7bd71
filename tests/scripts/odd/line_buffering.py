import sys
print(sys.stdout.line_buffering, sys.stdout.write_through, sys.stderr.line_buffering, sys.stdout.encoding, sys.stdout.errors, sys.stdin.errors, sys.stdout.isatty())
