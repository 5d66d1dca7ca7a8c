"""Uploads that end without being read: the same bytes under the same rules as what is published (spec §3). Serves turn."""

import contextlib
from dataclasses import dataclass
from typing import Any

from sftp_gateway import __version__, receipt
from sftp_gateway.blobs import Area, Files
from sftp_gateway.catalog.job import Made, Results
from sftp_gateway.errors import NotFound
from sftp_gateway.store import files as listed
from sftp_gateway.store import jobs, uploads, versions, withheld
from sftp_gateway.store.database import Store
from sftp_gateway.store.files import Folder
from sftp_gateway.upload import Mode, State, Upload
from sftp_gateway.worker import keep

FILES = "sftp_gateway.catalog.results.again:files"
"""The step that tells again what was found."""


def made_by(store: Store, upload: Upload, rules: str) -> versions.Version | None:
    """Give the current version if an upload of these bytes, mode and rules made it and none of its removals waits.

    None where a person waived something for this upload: that is to count now.
    """
    now = versions.current(store, upload.brand)
    if now is None or now.upload is None or upload.waived:
        return None
    same = (now.sha256, now.mode, now.rules) == (upload.sha256, str(upload.mode), rules)
    return now if same and withheld.get(store, upload.brand) is None else None


@dataclass(frozen=True, slots=True)
class Before:
    """The upload of these bytes that made the current version `now`, and the receipt it got."""

    now: versions.Version
    receipt: dict[str, Any]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found in its bytes: there is nothing to tell again.

        That they were those of an older version is not in them, nor is what was withheld: that was decided since.
        """
        codes = {finding["code"] for finding in self.receipt.get("findings") or ()}
        endings = (".withheld.csv", ".errors.csv") if codes == {"CATALOG_REVERT"} else (".withheld.csv",)
        files = (one["name"] for one in self.receipt.get("files") or ())
        return codes <= {"CATALOG_REVERT"} and all(name.endswith(endings) for name in files)

    @property
    def _is_found_again(self) -> bool:
        """Whether the same is found in its rows now that they are live.

        Those of a partial file are merged with the products of now: a rejected one with what another row made of its
        product, and what is wanted of a product that is created is not wanted of it again.
        """
        changed = (
            self.receipt["rows"]["rejected"] + self.receipt["rows"]["duplicates"] + self.receipt["changes"]["created"]
        )
        return self.now.mode == str(Mode.FULL) or (self.now.mode == str(Mode.PARTIAL) and not changed)

    def unchanged(self, upload: Upload, made: tuple[Made, ...] = ()) -> jobs.Finish:
        """End an upload of the same bytes unread; `made`: the files that tell again what was found in them."""
        rows = dict(self.receipt["rows"])
        found = receipt.blank(upload) | {
            "file": self.receipt["file"] | {"name": upload.path},
            "rows": rows,
            "changes": dict.fromkeys(receipt.CHANGES, 0) | {"unchanged": rows["accepted"]},
            "products": {"before": self.now.products, "after": self.now.products},
            "findings": list(self.receipt.get("findings") or ()) if made else [],
            "files": [
                {"name": one.name, "bytes": one.bytes} for one in made if keep.FOLDERS[one.kind] is Folder.ERRORS
            ],
            "rules": self.receipt.get("rules"),
        }
        return jobs.Finish(
            state=State.UNCHANGED, receipt=found, base_version=self.now.number, mode=upload.mode, rows=upload.mode
        )

    def results(self, store: Store, blobs: Files, held: contextlib.ExitStack) -> Results | None:
        """Lend what was found, in `held`; None where it is to be found anew: not all is kept any more, or it may be other now."""
        codes = {finding["code"] for finding in self.receipt.get("findings") or ()}
        other = (
            self.receipt.get("software") != __version__ or not self._is_found_again
        )  # other software may read better
        if self.now.upload is None or other or "CATALOG_REVERT" in codes:
            return None
        kept = {_kind(file, self.now.upload): file for file in listed.of_upload(store, self.now.upload)}
        wanted = ("errors", "errors_json", *(["corrections"] if self.receipt["rows"]["rejected"] else []))
        if not kept.keys() >= set(wanted):
            return None
        try:
            paths = {kind: held.enter_context(blobs.local(Area(kept[kind].area), kept[kind].blob)) for kind in wanted}
        except NotFound:
            return None
        file = self.receipt["file"]
        return Results(
            upload=self.now.upload,
            files=paths,
            findings=sum(finding["count"] for finding in self.receipt["findings"]),
            rejected=self.receipt["rows"]["rejected"],
            format=file["format"],
            encoding=file["encoding"] or "utf-8",
            delimiter=file["delimiter"] or ",",
        )


def before(store: Store, now: versions.Version) -> Before | None:
    """Give the upload that made the current version (as `made_by` says), if its receipt is known."""
    found = uploads.get(store, now.upload).receipt if now.upload else None
    return None if found is None else Before(now, found)


def _kind(file: listed.File, upload: int) -> str:
    """Tell what kind of result a listed file is; '' for others."""
    for kind, folder, end in (("errors", Folder.ERRORS, "errors.csv"), ("errors_json", Folder.API, "errors.jsonl.gz")):
        if file.folder == folder and file.name.endswith(f".{upload}.{end}"):
            return kind
    _, mark, ending = file.name.rpartition(f".{upload}.corrections.")
    return "corrections" if mark and file.folder == Folder.ERRORS and "." not in ending else ""
