import multiprocessing as mp
def f(x): return x * x, mp.current_process().name.split("-")[0]
if __name__ == "__main__":
    with mp.get_context("fork").Pool(2) as p: print(p.map(f, range(5)))
