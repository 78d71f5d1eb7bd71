import threading, time
def f(): time.sleep(.2); print("late")
threading.Thread(target=f).start(); print("main ends")
