"""`uploads`, `upload`, `approve`, `refuse`, `retry`: uploads from the shell."""

import argparse
from pathlib import Path

from sftp_gateway import receipt
from sftp_gateway.cli import opening, output
from sftp_gateway.cli.copying import Copy
from sftp_gateway.errors import NotFound, WrongState
from sftp_gateway.settings import Settings
from sftp_gateway.store import brands, jobs, uploads, withheld, workers
from sftp_gateway.upload import Mode, State, Upload, read_states
from sftp_gateway.worker import errand
from sftp_gateway.worker.crew import Crew

ENDED_BADLY = frozenset({State.REFUSED, State.HELD, State.FAILED, State.UNFINISHED})


def take(options: argparse.Namespace, settings: Settings, copy: Copy, children: Crew, progress: output.Progress) -> int:
    """Make a copied file an upload, wait for its turn (worked off by `children` if no worker lives), print the receipt."""
    with opening.gateway(options, settings) as opened:
        brand = brands.get(opened.store, options.brand)
        if workers.alive(opened.store, "worker"):
            children.close()
        copy.keep()
        mode, path = Mode(options.mode or brand.settings.mode or "full"), Path(options.file).name
        new = uploads.New(mode, path, copy.sha256, copy.bytes, "cli", complete=True, received_at=opened.store.now())
        upload = uploads.receive(opened.store, brand.name, new, by=opening.who())
        return _wait(opened, upload, options, progress, children)


def listing(options: argparse.Namespace) -> None:
    """List uploads, newest first; `next` is the cursor of the next page."""
    try:
        wanted = read_states(",".join(options.state))
    except ValueError as error:
        raise NotFound(str(error)) from None
    with opening.gateway(options) as opened:
        if options.brand is not None:
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
    columns: output.Columns = {
        "UPLOAD": "upload", "BRAND": "brand", "RECEIVED": lambda it: it["times"]["received"],
        "FILE": lambda it: it["file"]["name"], "MODE": "mode", "STATE": "state",
        "ACCEPTED": lambda it: it["rows"]["accepted"], "REJECTED": lambda it: it["rows"]["rejected"], "VERSION": "version",
    }  # fmt: skip
    output.listing(options.json, {"uploads": items, "next": cursor}, items, columns, _none(options))
    if cursor is not None and not options.json:
        print(f"Older ones: --cursor {cursor}")


def _none(options: argparse.Namespace) -> str:
    """Say that nothing is listed, and no more than that."""
    if options.state or options.since or options.cursor:
        return "No uploads like that."
    return f"No uploads of {options.brand} yet." if options.brand else "No uploads yet."


def show(options: argparse.Namespace) -> None:
    """Print the receipt of an upload."""
    with opening.gateway(options) as opened:
        _print(opened, uploads.get(opened.store, options.id), options)


def approve(options: argparse.Namespace) -> int:
    """Release a hold, or withheld removals, and wait until that is done."""
    with opening.gateway(options) as opened:
        job = uploads.approve(opened.store, options.id, opening.who())
        upload = uploads.get(opened.store, options.id)
        progress = output.Progress(f"upload {options.id}")
        if job is None:
            return _wait(opened, upload, options, progress)
        try:
            ended = errand.Errand(opened.store, opened.files, opened.settings).finish(upload, progress)
        finally:
            progress.done()
        made = jobs.get(opened.store, job).result or {}
        if made["version"] is None:
            raise WrongState(_overtaken(made["decided_by"]))
        if options.json:
            output.as_json(receipt.of(ended) | {"released": {name: made[name] for name in ("version", "removed")}})
    if not options.json:
        print(f"{_products(made['removed'])} removed; version {made['version']} of {upload.brand} is live.")
    return 0


def refuse(options: argparse.Namespace) -> int:
    """Refuse a hold, or keep the products whose removal was withheld."""
    with opening.gateway(options) as opened:
        stopped = withheld.get(opened.store, uploads.get(opened.store, options.id).brand)
        uploads.refuse(opened.store, options.id, opening.who())
        upload = uploads.get(opened.store, options.id)
        if upload.state is State.PUBLISHED and stopped is not None and not options.json:
            print(f"{_products(stopped.products)} kept, though not in the file; nothing was removed.")
        else:
            _print(opened, upload, options)
    return 0


def retry(options: argparse.Namespace) -> int:
    """Try again and wait for the end."""
    with opening.gateway(options) as opened:
        upload = uploads.retry(opened.store, options.id, opening.who())
        return _wait(opened, upload, options, output.Progress(f"upload {upload.id}"))


def _wait(
    opened: opening.Opened,
    upload: Upload,
    options: argparse.Namespace,
    progress: output.Progress,
    children: Crew | None = None,
) -> int:
    try:
        ended = errand.Errand(opened.store, opened.files, opened.settings, children).finish(upload, progress)
    finally:
        progress.done()
    _print(opened, ended, options)
    return 1 if ended.state in ENDED_BADLY else 0


def _print(opened: opening.Opened, upload: Upload, options: argparse.Namespace) -> None:
    value = receipt.of(upload)
    if options.json:
        output.as_json(value)
    else:
        output.receipt(value, removals_wait=upload.id in withheld.waiting(opened.store, {upload.brand}))


def _overtaken(by: int | None) -> str:
    """Say why an approval removed nothing: a full file before it in the queue made another withheld set, or none."""
    if by is None:
        return "a later full file decided about these removals before their turn came, and none is withheld any more"
    return (
        f"upload {by} decided about these removals before their turn came: nothing was removed; see `upload {by}`,"
        f" then `approve {by}` or `refuse {by}`"
    )


def _products(count: int) -> str:
    return f"{count:,} product{'s' * (count != 1)}"
