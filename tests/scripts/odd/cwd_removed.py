import os
os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
try: os.getcwd()
except OSError as e: print(e)
os.chdir("/")
