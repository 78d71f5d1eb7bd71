"""Options of its own, some called like ours, and a double dash."""
import argparse
import sys

parser = argparse.ArgumentParser()
parser.add_argument("-o", "--output")
parser.add_argument("--force", action="store_true")
parser.add_argument("-m", "--model")
parser.add_argument("-q", "--quiet", action="store_true")
parser.add_argument("rest", nargs="*")
print(parser.parse_args(), sys.argv[1:])
