"""`ingest`: a file from the shell as an upload. Light at import.

Three things take time before the work begins: copying and hashing the file, starting the process that
forks children, and importing the store. They go on side by side.
"""

import argparse
import contextlib
import gc
import shutil
import sys
from pathlib import Path

from sftp_gateway import blobs
from sftp_gateway.cli import arguments, given, output, owner
from sftp_gateway.cli.copying import Copy
from sftp_gateway.errors import DiskFull, NotFound
from sftp_gateway.worker import crew

SWITCH_SECONDS = 0.0005
"""The copying thread asks for the interpreter while modules are imported; with the usual 5 ms it would mostly wait."""


def ingest(options: argparse.Namespace) -> int:
    """Take a file in, wait for its turn, print the receipt. 1 if it did not get through."""
    path = Path(options.file)
    if not arguments.is_text(path.name):
        raise NotFound(f"{path}: its name is not UTF-8; rename it")
    sys.setswitchinterval(SWITCH_SECONDS)
    settings = owner.settings(options)
    given.readable(path)  # to whom this process became, as the copy is made by it
    owner.root(settings)
    if shutil.disk_usage(settings.storage.root).free - path.stat().st_size < settings.limits.disk_floor_bytes:
        raise DiskFull(f"{path}: there is no room for it above limits.disk_floor_bytes")
    files = blobs.open_files(settings.storage)
    progress = output.Progress(path.name)
    with (
        contextlib.closing(crew.of(settings.worker)) as children,
        Copy(path, files, progress, most=settings.limits.max_file_bytes) as copy,
    ):
        children.start()
        gc.disable()  # nothing of what is imported now ever goes
        from sftp_gateway import logs  # noqa: PLC0415 - as the next

        logs.configure("warning", "text")
        from sftp_gateway.cli import uploads  # noqa: PLC0415 - takes 0.3 s, in which the copy and the children get on

        gc.freeze()  # else the first collection would look at all of it, while nothing else goes on
        gc.enable()
        return uploads.take(options, settings, copy, children, progress)
