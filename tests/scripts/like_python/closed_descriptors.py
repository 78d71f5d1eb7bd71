"""Closes every descriptor, and uses the numbers for files of its own."""
import atexit
import hashlib
import os

os.closerange(3, 256)
files = [open(f"file{k}", "w+b") for k in range(8)]
print([file.fileno() for file in files])


def check():
    for file in files:
        file.seek(0)
        print(hashlib.sha256(file.read()).hexdigest())


for k, file in enumerate(files):
    file.write(bytes([k]) * 1000)
    file.flush()
atexit.register(check)
