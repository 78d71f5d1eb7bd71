# environment: PYTHONDEVMODE=1
open("/dev/null")
import sys; print(sys.flags.dev_mode)
