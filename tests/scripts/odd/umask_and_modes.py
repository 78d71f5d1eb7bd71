import os, stat
old = os.umask(0o027); print(oct(old)); open("m", "w").close(); print(oct(stat.S_IMODE(os.stat("m").st_mode)))
