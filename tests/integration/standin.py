"""Catalog steps that misbehave on purpose, run in real children by test_worker*.py and the fault tests."""

import contextlib
import ctypes
import os
import pickle
import re
import time
from pathlib import Path

from sftp_gateway import errors


def echo(value, lookup, progress):
    progress("read", 0.5)
    return {"value": value, "found": lookup(7), "pid": os.getpid(), "environ": sorted(os.environ)}


def plain(value):
    return value


def segfault(*_):
    ctypes.string_at(0)


def eat_memory(*_):
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1 << 20)))


def loop_in_c(*_):
    """A runaway regular expression: holds the interpreter lock, so no thread of the child could stop it."""
    re.match(r"(a+)+$", "a" * 64 + "b")


def refuse(*_):
    raise errors.Refused("FILE_EMPTY", "there is nothing in it", "send it again")


def no_room(*_):
    raise OSError(28, "No space left on device")


def divide(*_):
    return 1 // 0


def half_message(*_):
    """Say that a long message comes, then say nothing more."""
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(link.readlink()).startswith("socket:"):
                os.write(int(link.name), b"\0\0\xff\xff..")
    time.sleep(3600)


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


def evil(*_):
    return Evil()


def leave_mark_and_wait(path, *_):
    Path(path).write_text(str(os.getpid()))
    time.sleep(3600)


def raise_unpicklable(*_):
    raise pickle.PicklingError("x")
