"""How the C library hands out memory: glibc's defaults keep, in a process of many threads, several times what is in use."""

import ctypes
import sys

# mallopt's parameter (M_ARENA_MAX, M_MMAP_THRESHOLD in malloc.h) and value.
ARENAS, MMAP_THRESHOLD = (-8, 2), (-3, 4 << 20)


def return_memory() -> bool:
    """Make freed memory return to the system: two arenas for all threads, and a mapping of its own for every block of 4 MiB or more.

    By default each thread gets an arena, up to eight per core, which keeps the largest tensors that it ever held, and the size from
    which a block is mapped grows with every large one that is freed. Call before threads are started. False where the C library is
    not glibc; nothing is changed there.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and all(mallopt(*setting) for setting in (ARENAS, MMAP_THRESHOLD))


def trim() -> bool:
    """Give back to the system what is free in every arena; takes milliseconds. False where nothing was given back, as where the C library is not glibc."""
    if not sys.platform.startswith("linux"):
        return False
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return malloc_trim is not None and bool(malloc_trim(0))
