import os
os.write(2, b"\xff\x00raw\n"); os.write(2, b"graph lens\n")
