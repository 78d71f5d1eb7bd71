"""Bytes that are no text, and a lot of them."""
import os
import sys

sys.stdout.buffer.write(bytes(range(256)) * 4000)
sys.stdout.flush()
os.write(1, b"\x00\xff\x1b[31m")
