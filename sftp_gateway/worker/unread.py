"""Uploads that end without being read: the same bytes under the same rules as what is published (spec §3). Serves turn."""

import dataclasses
import hashlib
import json
from typing import Any

from sftp_gateway import receipt
from sftp_gateway.brand import Brand
from sftp_gateway.catalog.schema import Schema
from sftp_gateway.store import jobs, uploads, versions, withheld
from sftp_gateway.store.database import Store
from sftp_gateway.upload import State, Upload


def digest(schema: Schema, brand: Brand) -> str:
    """Give what must be equal for equal bytes to mean the same: catalog rules and the brand's own."""
    settings = dataclasses.asdict(brand.settings)
    for irrelevant in ("contact", "expect_every", "marker", "name_pattern"):
        del settings[irrelevant]
    text = schema.digest + json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def made_by(store: Store, upload: Upload, rules: str) -> versions.Version | None:
    """Give the current version if an upload of these bytes, mode and rules made it and none of its removals waits.

    None where a person waived something for this upload: that is to count now.
    """
    now = versions.current(store, upload.brand)
    if now is None or now.upload is None or upload.waived:
        return None
    same = (now.sha256, now.mode, now.rules) == (upload.sha256, str(upload.mode), rules)
    return now if same and withheld.get(store, upload.brand) is None else None


def same_as_published(store: Store, upload: Upload, now: versions.Version) -> jobs.Finish | None:
    """End an upload unread whose bytes made the current version (as `made_by` says), if nothing was found in them then.

    A sender whose rows were rejected gets his error file again.
    """
    before = uploads.get(store, now.upload).receipt if now.upload else None
    if before is None or not _is_clean(before):
        return None
    rows = dict(before["rows"])
    found = receipt.blank(upload) | {
        "file": before["file"] | {"name": upload.path},
        "rows": rows,
        "changes": dict.fromkeys(receipt.CHANGES, 0) | {"unchanged": rows["accepted"]},
        "products": {"before": now.products, "after": now.products},
        "rules": before.get("rules"),
    }
    return jobs.Finish(state=State.UNCHANGED, receipt=found, base_version=now.number, mode=upload.mode)


def _is_clean(before: dict[str, Any]) -> bool:
    """Whether nothing was found in the bytes of an upload.

    That they were those of an older version is not in them, nor is what was withheld: that was decided since.
    """
    codes = {finding["code"] for finding in before.get("findings") or ()}
    files = [one["name"] for one in before.get("files") or () if not one["name"].endswith(".withheld.csv")]
    if codes == {"CATALOG_REVERT"}:
        files = [name for name in files if not name.endswith(".errors.csv")]
        codes = set()
    return not codes and not files
