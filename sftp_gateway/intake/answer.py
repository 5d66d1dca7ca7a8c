"""The receipt and error file of an upload that never reached a worker: refused at the door, or never completed.

The worker answers for every other upload. Kept free of the catalog room, whose libraries would
double the memory of the process that holds the front door.
"""

import csv
import io
import secrets
from typing import Any

from msgspec import Struct

from sftp_gateway import receipt, upload_name
from sftp_gateway.blobs import Area, Files
from sftp_gateway.store.files import Folder, NewFile
from sftp_gateway.upload import Upload

COLUMNS = (
    "upload", "row", "line", "byte_offset", "key", "column", "value", "code", "severity", "message", "suggestion",
)  # fmt: skip
FINDINGS = frozenset({"FILE_INCOMPLETE", "FILE_CHECKSUM", "FILE_TOO_LARGE"})
"""The codes of spec §6 that are found here; other reasons (quota, disk, name) are no findings."""


class Answer(Struct, frozen=True):
    """What an upload's columns `receipt`, `findings` and `reasons` become, and the error file if there is one."""

    receipt: dict[str, Any]
    findings: list[dict[str, Any]]
    reasons: list[dict[str, Any]]
    file: NewFile | None


def make(files: Files, upload: Upload, reason: dict[str, Any]) -> Answer:
    """Answer with one reason (`code`, `text`, `suggestion`); keeps the error file's bytes (blocks)."""
    shown = receipt.reason(reason["code"], reason["text"])
    made = receipt.blank(upload) | {"reasons": [shown]}
    del made["findings"]
    if reason["code"] not in FINDINGS:
        return Answer(made, [], [shown], None)
    file = _error_file(files, upload, reason)
    made["files"] = [{"name": file.name, "bytes": file.bytes}]
    sample = {
        "row": None, "line": None, "byte_offset": None, "key": "", "value": "",
        "message": reason["text"], "suggestion": reason.get("suggestion", ""),
    }  # fmt: skip
    finding = {
        "code": reason["code"], "severity": "fatal", "column": None, "rule": None, "count": 1, "samples": [sample],
    }  # fmt: skip
    return Answer(made, [finding], [shown], file)


def _error_file(files: Files, upload: Upload, reason: dict[str, Any]) -> NewFile:
    text = io.StringIO()
    writer = csv.writer(text)  # the dialect is spec §8's: comma, CRLF
    writer.writerow(COLUMNS)
    row = [upload.id, "", "", "", "", "", "", reason["code"], "fatal", reason["text"], reason.get("suggestion", "")]
    writer.writerow(row)
    name = f"{upload_name.safe(upload.name)}.{upload.id}.errors.csv"
    data, blob = text.getvalue().encode("utf-8-sig"), f"{upload.id}-{secrets.token_hex(8)}/{name}"
    files.keep_bytes(Area.RESULTS, [(blob, data)])
    return NewFile(Folder.ERRORS, name, Area.RESULTS, blob, len(data))
