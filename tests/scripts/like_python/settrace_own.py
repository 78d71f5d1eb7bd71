"""A trace and a profile function of its own, that look at its own code, imports included."""
import sys
import threading

seen = []


def trace(frame, event, argument):
    if frame.f_code.co_filename != __file__:
        return None
    seen.append((event, frame.f_code.co_name, frame.f_lineno))
    return trace


def profile(frame, event, argument):
    if frame.f_code.co_filename == __file__:
        seen.append((event, getattr(argument, "__name__", frame.f_code.co_name)))


def traced(n):
    import json.tool
    import email.message

    return sum(range(n))


sys.settrace(trace)
sys.setprofile(profile)
traced(3)
thread = threading.Thread(target=traced, args=(2,))
sys.settrace(None)
sys.setprofile(None)
thread.start()
thread.join()
print(len(seen), seen[:3], seen[-3:], sys.gettrace(), sys.getprofile())
