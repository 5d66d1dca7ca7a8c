"""Uploads that end without being read: the same bytes under the same rules as what is published (spec §3). Serves turn."""

from typing import Any

from msgspec import Struct

from sftp_gateway import __version__, receipt, upload_name
from sftp_gateway.store import files as listed
from sftp_gateway.store import jobs, uploads, versions, withheld
from sftp_gateway.store.database import Store
from sftp_gateway.store.files import Folder, NewFile
from sftp_gateway.upload import Mode, State, Upload


class Before(Struct, frozen=True):
    """The upload of these bytes that made the current version `now`, and the receipt it got."""

    now: versions.Version
    receipt: dict[str, Any]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found in its bytes: there is nothing to tell again.

        That they were those of an older version is not in them, nor is what was withheld: that was decided since.
        """
        codes = {finding["code"] for finding in self.receipt["findings"]}
        endings = (".withheld.csv", ".errors.csv") if codes == {"CATALOG_REVERT"} else (".withheld.csv",)
        files = (one["name"] for one in self.receipt["files"])
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

    def end(self, store: Store, upload: Upload) -> jobs.Finish | None:
        """End an upload of the same bytes unread; None where they are to be read.

        What was found in them is told by the files that told it then: they name the upload that made the version.
        """
        found = () if self.is_clean else self._files(store, upload)
        if found is None:
            return None
        rows = dict(self.receipt["rows"])
        told = receipt.blank(upload) | {
            "file": self.receipt["file"] | {"name": upload.path},
            "rows": rows,
            "changes": dict.fromkeys(receipt.CHANGES, 0) | {"unchanged": rows["accepted"]},
            "products": {"before": self.now.products, "after": self.now.products},
            "findings": list(self.receipt["findings"]) if found else [],
            "files": [{"name": one.name, "bytes": one.bytes} for one in found if one.folder == Folder.ERRORS],
            "rules": self.receipt["rules"],
        }
        return jobs.Finish(
            state=State.UNCHANGED,
            receipt=told,
            files=found,
            listed_by=self.now.upload,
            base_version=self.now.number,
            mode=upload.mode,
            rows=upload.mode,
        )

    def _files(self, store: Store, upload: Upload) -> tuple[NewFile, ...] | None:
        """List what was found under the name of `upload`; None: not all is kept any more, or it may be other now."""
        codes = {finding["code"] for finding in self.receipt["findings"]}
        other = self.receipt["software"] != __version__  # it may read better
        if self.now.upload is None or other or not self._is_found_again or "CATALOG_REVERT" in codes:
            return None
        ends = ["errors.csv", "errors.jsonl.gz", *(["corrections"] if self.receipt["rows"]["rejected"] else [])]
        found = []
        for file in listed.results(store, self.now.upload):
            _, mark, end = file.name.rpartition(f".{self.now.upload}.")
            if mark and (kind := next((one for one in ends if end.startswith(one)), "")):
                ends.remove(kind)
                name = f"{upload_name.safe(upload.name)}.{upload.id}.{end}"
                found.append(NewFile(file.folder, name, file.area, file.blob, file.bytes))
        return None if ends else tuple(found)


def before(store: Store, upload: Upload, rules: str) -> Before | None:
    """Give the upload of these bytes, mode and rules that made the current version, if none of its removals waits.

    None where a person waived something for this upload: that is to count now.
    """
    now = versions.current(store, upload.brand)
    if now is None or now.upload is None or upload.waived:
        return None
    same = (now.sha256, now.mode, now.rules) == (upload.sha256, str(upload.mode), rules)
    if not same or withheld.get(store, upload.brand) is not None:
        return None
    return Before(now, receipt.seen(uploads.get(store, now.upload)))
