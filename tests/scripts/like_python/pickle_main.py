"""Pickles a class of __main__, and reads it in another interpreter's main."""
import dataclasses
import multiprocessing
import pickle


@dataclasses.dataclass
class Config:
    width: int = 3


def widen(data, queue):
    config = pickle.loads(data)
    queue.put(dataclasses.replace(config, width=config.width + 1))


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=widen, args=(pickle.dumps(Config()), queue))
    process.start()
    print(queue.get(), Config.__module__)
    process.join()
    print(process.exitcode)
