# argv: --name=\udc80x é 日本 "" " "
import os, sys
print([os.fsencode(a) for a in sys.argv[1:]])
