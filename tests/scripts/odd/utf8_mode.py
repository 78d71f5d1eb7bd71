# environment: PYTHONUTF8=1 LC_ALL=C
import sys; print(sys.flags.utf8_mode, sys.getfilesystemencoding(), "é日".encode())
