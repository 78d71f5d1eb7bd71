import os
os.closerange(3, 200)
files = [open(f"f{i}.bin", "wb") for i in range(8)]
for i, f in enumerate(files): f.write(bytes([i]) * 10000)
print([f.fileno() for f in files])
