import mmap, os
f = open("m", "w+b"); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); m[:3] = b"xyz"; m.flush(); m.close(); print(open("m", "rb").read(4))
