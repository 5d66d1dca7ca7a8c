"""Catalog steps that misbehave on purpose, run in real children by test_worker*.py and the fault tests."""

import contextlib
import ctypes
import os
import pickle
import re
import sys
import time
from pathlib import Path

from msgspec import structs

from sftp_gateway import errors
from sftp_gateway.catalog.job import Made, Outcome
from sftp_gateway.catalog.read.opening import open_source
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.receipt import CHANGES, ROWS
from sftp_gateway.upload import State


def echo(value, lookup, progress):
    progress("read", 0.5)
    return {"value": value, "found": lookup(7), "pid": os.getpid(), "environ": sorted(os.environ)}


def plain(value):
    return value


def read_sheet(path):
    """Give the first column of a workbook, and whether this child has pandas then."""
    [block] = open_source(path, Hints(known_headers=frozenset({"sku", "name"}))).blocks()
    return block.cells[0].to_pylist(), "pandas" in sys.modules


def segfault(*_):
    ctypes.string_at(0)


def eat_memory(*_):
    hoard = []
    while True:
        hoard.append(b"x" * (1 << 20))


def loop_in_c(*_):
    """A runaway regular expression: holds the interpreter lock, so no thread of the child could stop it."""
    re.match(r"(a+)+$", "a" * 64 + "b")


def refuse(*_):
    raise errors.Refused("FILE_EMPTY", "there is nothing in it", "send it again")


def no_room(*_):
    raise OSError(28, "No space left on device")


def divide(*_):
    return 1 // 0


def ask_wrongly(_ask, _tell):
    raise ValueError("no number: 'on request'\n\nLINE 3: CAST(price)\n            ^^^^^")


def talk_without_end(_ask, tell):
    while True:
        for stage in "ab":
            tell(stage, 0.5)


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


# Stand-ins for catalog.run.process: what they do is told by the first line of the source.


def process(job, lookup, progress):
    progress("read", 0.5)
    word, _, rest = job.source.read_text().partition("\n")
    return WORDS[word.split()[0]](job, lookup, rest)


def publish(job, lookup, rest, **changes):
    number = (job.base.number if job.base else 0) + 1
    products = rest.count("\n")
    catalog = write(job, "catalog", "catalog.parquet", rest)
    made = (
        catalog,
        write(job, "changes_csv", "changes.csv", "op,key,column,before,after\r\n"),
    )
    errors_csv = write(job, "errors", f"{job.name}.{job.upload}.errors.csv", "upload,row\r\n")
    found = receipt(job, products)
    found["changes"]["created"] = products
    values = {
        "state": State.PUBLISHED,
        "receipt": found,
        "reasons": (),
        "made": (*made, errors_csv),
        "version": number,
        "products": products,
        "keeps_withheld": False,
        "withheld_since": None,
        "withheld_products": 0,
        "mode": job.mode,
        "rows": job.mode,
        "corrects_held": None,
        "ends_with_newline": rest.endswith("\n"),
        "columns": ("sku", "name"),
    }
    return Outcome(**(values | changes))


def withhold(job, lookup, rest):
    keys = write(job, "keys", "keys.parquet", "k")
    plain = publish(job, lookup, rest)
    return structs.replace(plain, made=(*plain.made, keys), withheld_since=job.received_at, withheld_products=3)


def hold(job, lookup, rest):
    reason = {"code": "price_move", "figure": 0.9, "limit": 0.5, "text": "prices moved"}
    if "price_move" in job.waived:
        return publish(job, lookup, rest)
    accepted = write(job, "accepted", "accepted.parquet", rest)
    return publish(
        job, lookup, rest, state=State.HELD, reasons=(reason,), made=(accepted,), version=None, keeps_withheld=True
    )


def crash(job, lookup, rest):
    segfault()


def sleep(job, lookup, rest):
    Path(rest.split("\n")[0]).write_text(str(os.getpid()))
    time.sleep(3600)


def once_broken(job, lookup, rest):
    mark = Path(rest.split("\n")[0])
    if not mark.exists():
        mark.touch()
        raise ValueError("only the first time")
    return publish(job, lookup, rest)


def outside(job, lookup, rest):
    plain = publish(job, lookup, rest)
    stray = Made("errors", "x.csv", job.source, 1)
    return structs.replace(plain, made=(*plain.made, stray))


def corrects(job, lookup, rest):
    found = lookup(int(rest.split("\n")[0]))
    plain = publish(job, lookup, rest)
    plain.receipt["corrected"] = None if found is None else [found.upload, found.base_version, len(found.changes)]
    return plain


WORDS = {
    "publish": publish,
    "withhold": withhold,
    "hold": hold,
    "crash": crash,
    "eat": eat_memory,
    "loop": loop_in_c,
    "sleep": sleep,
    "once_broken": once_broken,
    "full": no_room,
    "outside": outside,
    "corrects": corrects,
}


def write(job, kind, name, text):
    path = job.out / f"{kind}.made"
    path.write_text(text)
    return Made(kind, name, path, path.stat().st_size)


def receipt(job, products):
    return {
        "upload": job.upload,
        "brand": job.brand,
        "mode": str(job.mode),
        "file": {"name": job.path, "bytes": job.bytes, "sha256": job.sha256, "format": "csv"},
        "rows": dict.fromkeys(ROWS, 0) | {"read": products, "accepted": products},
        "changes": dict.fromkeys(CHANGES, 0),
        "products": {"before": job.base.products if job.base else 0, "after": products},
        "findings": [],
        "files": [],
        "times": {},
        "seconds": {"total": 0.1},
        "rules": job.schema.digest,
    }
