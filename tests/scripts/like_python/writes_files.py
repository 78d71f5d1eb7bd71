"""Writes files of its own; nothing else may appear beside them."""
import logging
import os

with open("result.txt", "w") as file:
    file.write("42\n")
logging.basicConfig(filename="log.txt", format="%(message)s")
logging.warning("logged")
print(sorted(os.listdir()))
