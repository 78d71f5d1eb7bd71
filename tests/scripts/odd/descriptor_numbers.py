import os
fds = [os.open(f"f{i}", os.O_RDWR | os.O_CREAT) for i in range(5)]
print(fds)
print(sorted(int(x) for x in os.listdir("/proc/self/fd")))
