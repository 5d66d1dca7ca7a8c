"""`ingest`, `uploads`, `upload`, `approve`, `refuse`, `retry`: uploads from the shell."""

import argparse
import hashlib
import os
import uuid
from pathlib import Path

from sftp_gateway import blobs, receipt
from sftp_gateway.cli import opening, output
from sftp_gateway.errors import NotFound, Refused
from sftp_gateway.store import brands, uploads
from sftp_gateway.upload import Mode, State, Upload, read_states
from sftp_gateway.worker import errand
from sftp_gateway.worker.crew import Crew

CHUNK_BYTES = 1 << 20
ENDED_BADLY = frozenset({State.REFUSED, State.HELD, State.FAILED, State.UNFINISHED})


def ingest(options: argparse.Namespace) -> int:
    """Take a file in, wait for its turn, print the receipt. 1 if it did not get through."""
    path = Path(options.file)
    if not path.is_file():
        raise NotFound(f"{path}: no such file")
    with opening.gateway(options) as opened:
        brand = brands.get(opened.store, options.brand)
        with errand.prepared(opened.store, opened.settings) as children:
            progress = output.Progress(path.name)
            sha256, size = _take_in(path, opened, progress)
            upload = uploads.receive(
                opened.store,
                brand=options.brand,
                mode=Mode(options.mode or brand.settings.mode or "full"),
                path=path.name,
                sha256=sha256,
                bytes=size,
                via="cli",
                complete=True,
                received_at=opened.store.now(),
            )
            return _wait(opened, upload, options, progress, children)


def listing(options: argparse.Namespace) -> None:
    """List uploads, newest first; `next` is the cursor of the next page."""
    try:
        wanted = read_states(",".join(options.state))
    except ValueError as error:
        raise NotFound(str(error)) from None
    with opening.gateway(options) as opened:
        if options.brand:
            brands.get(opened.store, options.brand)
        found, cursor = uploads.listing(
            opened.store,
            brand=options.brand,
            states=wanted,
            since=opening.moment(options.since, "--since"),
            limit=options.limit,
            before=options.cursor,
        )
    items = [receipt.listed(upload) for upload in found]
    if options.json:
        output.as_json({"uploads": items, "next": cursor})
        return
    rows = [
        (
            i["upload"],
            i["brand"],
            i["times"]["received"],
            i["file"]["name"],
            i["mode"],
            i["state"],
            i["rows"]["accepted"],
            i["rows"]["rejected"],
            i["version"],
        )
        for i in items
    ]
    headers = ("UPLOAD", "BRAND", "RECEIVED", "FILE", "MODE", "STATE", "ACCEPTED", "REJECTED", "VERSION")
    output.table(headers, rows, "No uploads yet.")
    if cursor is not None:
        print(f"Older ones: --cursor {cursor}")


def show(options: argparse.Namespace) -> None:
    """Print the receipt of an upload."""
    with opening.gateway(options) as opened:
        upload = uploads.get(opened.store, options.id)
    _print(upload, options)


def approve(options: argparse.Namespace) -> int:
    """Release a hold, or withheld removals, and wait until that is done."""
    with opening.gateway(options) as opened:
        uploads.approve(opened.store, options.id, _who())
        return _wait(opened, uploads.get(opened.store, options.id), options, output.Progress(f"upload {options.id}"))


def refuse(options: argparse.Namespace) -> int:
    """Refuse a hold, or keep the products whose removal was withheld."""
    with opening.gateway(options) as opened:
        uploads.refuse(opened.store, options.id, _who())
        _print(uploads.get(opened.store, options.id), options)
    return 0


def retry(options: argparse.Namespace) -> int:
    """Try again and wait for the end."""
    with opening.gateway(options) as opened:
        upload = uploads.retry(opened.store, options.id, _who())
        return _wait(opened, upload, options, output.Progress(f"upload {upload.id}"))


def _take_in(path: Path, opened: opening.Opened, progress: output.Progress) -> tuple[str, int]:
    """Copy a file into the blobs, hashing it on the way; (sha256, bytes)."""
    limit = opened.settings.limits.max_file_bytes
    size = path.stat().st_size
    if size > limit:
        raise Refused("FILE_TOO_LARGE", f"{path.name} has {size:,} bytes; at most {limit:,} are taken")
    digest = hashlib.sha256()
    staged = opened.files.staging / f"ingest-{uuid.uuid4().hex}"
    taken = 0
    try:
        with path.open("rb") as source, staged.open("xb") as target:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
                taken += len(chunk)
                progress("taking in", taken / max(size, 1))
        opened.files.keep(blobs.Area.SOURCES, digest.hexdigest(), staged)
    finally:
        staged.unlink(missing_ok=True)
    return digest.hexdigest(), taken


def _wait(
    opened: opening.Opened,
    upload: Upload,
    options: argparse.Namespace,
    progress: output.Progress,
    children: Crew | None = None,
) -> int:
    try:
        ended = errand.finish(opened.store, opened.files, opened.settings, upload, progress, children=children)
    finally:
        progress.done()
    _print(ended, options)
    return 1 if ended.state in ENDED_BADLY else 0


def _print(upload: Upload, options: argparse.Namespace) -> None:
    value = receipt.of(upload)
    if options.json:
        output.as_json(value)
    else:
        output.receipt(value)


def _who() -> str:
    """Name the person at the shell, for the audit trail."""
    return f"cli:{os.environ.get('SUDO_USER') or os.environ.get('USER') or os.getuid()}"
