"""The shared page of a thread: running operation, control byte, and what is not in the log yet.

Mapped by `mmap(2)` through ctypes: Python's own `mmap` keeps a descriptor and closes it by number
later, even when the script has put a file of its own there. Layout: `wire.At`.
"""

from __future__ import annotations

import ctypes
import os

from graphlens_tracers.wire import PAGE, PAGE_MAGIC, At

_PROT_READ_WRITE = 3
_MAP_SHARED = 1

RUNNING, RUNNING_SINCE = At.RUNNING // 8, At.RUNNING_SINCE // 8
ROWS, BLOCKS, SLOTS, SCALARS, TEXT = (
    At.ROWS // 8,
    At.BLOCKS // 8,
    At.SLOTS // 8,
    At.SCALARS // 8,
    At.TEXT // 8,
)
GENERATION, BASE, FRAMES, SEGMENT = At.GENERATION // 8, At.BASE // 8, At.FRAMES // 8, At.SEGMENT // 8
CONTROL, DROPPED = At.CONTROL // 8, At.DROPPED // 8


class Page:
    """One page, as views of the same 64 KiB in the widths its fields have.

    Attributes:
        bytes, u16, u32, u64, f32, f64: The whole page in that type.
        shared: Whether other processes see it; False when no file could be made for it.
    """

    def __init__(self, path: str, pid: int, thread: int, strand: int) -> None:
        self.path = path
        try:
            memory: ctypes.Array[ctypes.c_char] = _map(path)
            self.shared = True
        except (OSError, MemoryError):
            memory = (ctypes.c_char * PAGE)()
            self.shared = False
        self._memory = memory
        self.bytes = memoryview(memory).cast("B")
        self.u16 = self.bytes.cast("H")
        self.u32 = self.bytes.cast("I")
        self.u64 = self.bytes.cast("Q")
        self.f32 = self.bytes.cast("f")
        self.f64 = self.bytes.cast("d")
        self.u64[At.PID // 8] = pid
        self.u64[At.THREAD // 8] = thread
        self.u64[At.STRAND // 8] = strand
        self.u64[At.MAGIC // 8] = PAGE_MAGIC

    def name_running(self, name: str) -> None:
        """Say in words what runs now, for an operation that has no node yet."""
        text = name.encode("utf-8", "replace")[:255]
        at = At.RUNNING_NAME
        self.bytes[at : at + len(text) + 1] = text + b"\0"

    def remove(self) -> None:
        """Take the file away; the memory stays readable for this process."""
        if self.shared:
            try:
                os.unlink(self.path)
            except (OSError, MemoryError):
                return  # whoever removed the directory has done it for us


def _map(path: str) -> ctypes.Array[ctypes.c_char]:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    ]
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # Taken now, not when it is first written: where memory has run out, that would be a SIGBUS.
        os.posix_fallocate(fd, 0, PAGE)
        address = libc.mmap(None, PAGE, _PROT_READ_WRITE, _MAP_SHARED, fd, 0)
    except (OSError, MemoryError):
        os.unlink(path)
        raise
    finally:
        os.close(fd)
    if address is None or address == ctypes.c_void_p(-1).value:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return (ctypes.c_char * PAGE).from_address(address)
