"""How much of a file the kernel holds in memory."""

import ctypes
import mmap


def pages_in_memory(path):
    """Count the bytes of a file that the kernel holds (mincore(2))."""
    size = path.stat().st_size
    with path.open("r+b") as file, mmap.mmap(file.fileno(), size) as view:
        told = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
        start = ctypes.c_char.from_buffer(view)
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), told) == 0
        del start
        return sum(page & 1 for page in told) * mmap.PAGESIZE
