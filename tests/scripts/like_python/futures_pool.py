"""Three ways to start workers, with functions of __main__ sent to them."""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor


class Point:
    def __init__(self, x):
        self.x = x

    def __repr__(self):
        return f"Point({self.x})"


def work(point):
    return Point(point.x ** 2)


if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            print(method, list(pool.map(work, map(Point, range(3)))))
