"""Starts other Pythons: isolated ones, without site, with an environment of their own."""
import os
import subprocess
import sys

# Under -S nobody takes our directory out of sys.path again: the one place where it is seen.
say = """
import sys
ours = [entry for entry in sys.path if sys.flags.no_site and entry.endswith("bootstrap")]
print(sys.flags, "sitecustomize" in sys.modules, [entry for entry in sys.path[1:] if entry not in ours])
"""
for flags in (["-I"], ["-E"], ["-S"], ["-s", "-P", "-O"], ["-W", "error", "-X", "utf8"]):
    subprocess.run([sys.executable, *flags, "-c", say], check=True)
subprocess.run([sys.executable, "-c", say], env={}, check=True)
subprocess.run([sys.executable, "-c", say], env={**os.environ, "PYTHONPATH": "/nowhere"}, check=True)
print(subprocess.run("exit 3", shell=True).returncode)
try:
    subprocess.run(["no\0program"])
except ValueError as error:
    print(error)
