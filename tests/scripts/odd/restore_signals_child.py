import subprocess, sys
said = subprocess.run(["sh", "-c", "trap; kill -l 13; grep Sig[IB] /proc/self/status"], capture_output=True, text=True).stdout
# Signals 32 and 33 are glibc's own: its posix_spawn ignores them in the child.
print([hex(int(line.split()[1], 16) & ~(3 << 31)) for line in said.splitlines() if "Sig" in line], said[:5])
