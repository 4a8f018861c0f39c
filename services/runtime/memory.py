"""How the C library keeps memory: a service that hashes passwords must not grow with every thread."""

import ctypes

# <malloc.h> of glibc; on another C library nothing is changed.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
MIB = 1024 * 1024


def keep_small() -> None:
    """Give freed memory back: one arena, and every block above 4 MiB (a hash takes 19) in its own mapping.

    glibc else raises its threshold to the largest block freed so far, and keeps one arena for each thread.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        for name, value in ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, 4 * MIB), (M_TRIM_THRESHOLD, 4 * MIB)):
            mallopt(name, value)
