"""Goes elsewhere, and removes where it is."""
import os
import tempfile

os.umask(0o777)
place = tempfile.mkdtemp()
os.chmod(place, 0o700)
os.chdir(place)
os.rmdir(place)
try:
    os.getcwd()
except FileNotFoundError as error:
    print(type(error).__name__)
