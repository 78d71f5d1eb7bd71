import threading
threading.stack_size(256 * 1024); t = threading.Thread(target=print, args=("small",)); t.start(); t.join(); print(threading.active_count(), threading.main_thread().name)
