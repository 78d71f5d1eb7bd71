import signal, os
got = []
signal.signal(signal.SIGCHLD, lambda *a: got.append(os.waitpid(-1, 0)[1]))
if os.fork() == 0: os._exit(4)
while not got: signal.pause()
print(got)
