"""Wrong usage of the script's own command line: exit code 2 and its message."""
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.parse_args(["--epochs", "many"])
