import os, signal, subprocess, time
p = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -CONT {os.getpid()}"])
os.kill(os.getpid(), signal.SIGSTOP); p.wait(); print("continued")
