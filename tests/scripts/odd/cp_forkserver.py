import multiprocessing as mp, sys
def f(q): q.put((__name__, len(sys.argv)))
if __name__ == "__main__":
    c = mp.get_context("forkserver"); q = c.SimpleQueue(); p = c.Process(target=f, args=(q,)); p.start(); print(q.get()); p.join(); print(p.exitcode)
