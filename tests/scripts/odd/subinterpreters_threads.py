import threading, queue
q = queue.Queue(); ts = [threading.Thread(target=lambda i=i: q.put(i)) for i in range(50)]
[t.start() for t in ts]; [t.join() for t in ts]; print(sorted(q.queue) == list(range(50)))
