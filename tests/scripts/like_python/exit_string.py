"""sys.exit with a message: on standard error, exit code 1."""
import sys

sys.exit("a reason, with a % and a \u00e9")
