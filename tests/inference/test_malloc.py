import platform
import subprocess
import sys

import pytest

from newsft.inference import malloc

# Eight threads, one after the other, hold 64 blocks of 1 MiB and one of 16; what the process then keeps, in MiB.
KEPT = """
import ctypes, threading, psutil
from newsft.inference import malloc
{setting}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
together, turn = threading.Barrier(8), threading.Lock()
def hold():
    with turn:
        sizes = [1 << 20] * 64 + [16 << 20, 64]  # the last, small one stays: what lies below it cannot be given back from the end
        blocks = [libc.malloc(size) for size in sizes]
        for block, size in zip(blocks, sizes):
            ctypes.memset(block, 1, size)
        for block in blocks[:-1]:
            libc.free(block)
    together.wait()  # nobody leaves an arena for the next
before = psutil.Process().memory_info().rss
threads = [threading.Thread(target=hold) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
{after}
print((psutil.Process().memory_info().rss - before) >> 20)
"""


def kept(setting: str, after: str = "") -> int:
    return int(
        subprocess.run(
            [sys.executable, "-c", KEPT.format(setting=setting, after=after)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_threads_that_ended_keep_less_memory():
    assert kept("malloc.return_memory()") < kept("") / 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_trimming_gives_back_what_threads_kept():
    left = kept("", "malloc.trim()")
    assert left < kept("") / 2


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_are_left_alone(monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    assert malloc.return_memory() is False
    assert malloc.trim() is False
