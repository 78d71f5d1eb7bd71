import multiprocessing as mp
if __name__ == "__main__":
    with mp.Manager() as m:
        d = m.dict(a=1); d["b"] = 2; print(dict(d))
