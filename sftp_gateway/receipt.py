"""The receipt: the result of an upload as JSON (spec §8). Pure; every key is always there."""

import copy
from datetime import UTC, datetime
from typing import Any

from sftp_gateway import __version__
from sftp_gateway.upload import Upload

Receipt = dict[str, Any]

ROWS = ("read", "accepted", "rejected", "duplicates", "warned", "retained", "blank", "skipped")
CHANGES = ("created", "updated", "unchanged", "removed", "deleted", "withheld")


def moment(at: datetime | None) -> str | None:
    """Print an aware moment as UTC with `Z`, milliseconds included."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_moment(text: str) -> datetime:
    """Read an ISO 8601 moment as UTC, which it is without an offset; ValueError says to people what it should be."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no date; give 2026-01-31 or 2026-01-31T12:00:00Z") from None


def reason(code: str, text: str) -> dict[str, Any]:
    """Give a reason that is no guard's: it has no figure and no limit."""
    return {"code": code, "figure": None, "limit": None, "text": text}


def blank(upload: Upload) -> Receipt:
    """Give the receipt of an upload nothing is known of yet but its bytes."""
    return {
        "upload": upload.id,
        "brand": upload.brand,
        "mode": str(upload.mode),
        "state": str(upload.state),
        "reasons": [dict(reason) for reason in upload.reasons],
        "file": {
            "name": upload.path,
            "bytes": upload.bytes,
            "sha256": upload.sha256 or None,
            "format": None,
            "encoding": None,
            "delimiter": None,
            "compression": None,
        },
        "rows": dict.fromkeys(ROWS, 0),
        "changes": dict.fromkeys(CHANGES, 0),
        "products": {"before": 0, "after": 0},
        "version": upload.version,
        "findings": [],
        "files": [],
        "times": {
            "received": moment(upload.received_at),
            "started": moment(upload.started_at),
            "finished": moment(upload.finished_at),
        },
        "seconds": {"read": 0.0, "check": 0.0, "diff": 0.0, "publish": 0.0, "total": 0.0},
        "software": __version__,
        "rules": None,
        "source_upload": upload.source_upload,
    }


def of(upload: Upload) -> Receipt:
    """Give the receipt of an upload as it stands now: what a worker found, under today's state."""
    return copy.deepcopy(seen(upload))


def seen(upload: Upload) -> Receipt:
    """Give what `of` gives, to be read and not changed: what lies in it is the upload's own. For thousands of them."""
    receipt = blank(upload)
    times = receipt["times"]
    if upload.receipt:
        receipt.update(upload.receipt)
    receipt["times"] = times  # the history row knows them best
    receipt["state"] = str(upload.state)
    receipt["version"] = upload.version
    return receipt


def listed(upload: Upload) -> Receipt:
    """Give the receipt without its findings: one item of `uploads --json` and of the API's list."""
    receipt = of(upload)
    del receipt["findings"]
    return receipt
