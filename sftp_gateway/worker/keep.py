"""Takes in the files a child made: checked, synced under names of our own, then told how they are listed."""

import secrets
import stat
from pathlib import Path

from sftp_gateway import upload_name
from sftp_gateway.blobs import Area, Files
from sftp_gateway.catalog.job import Made
from sftp_gateway.errors import Broken
from sftp_gateway.store.files import Folder, NewFile
from sftp_gateway.store.versions import NewVersion

FOLDERS = {
    "errors": Folder.ERRORS,
    "corrections": Folder.ERRORS,
    "withheld": Folder.ERRORS,
    "errors_json": Folder.API,
    "accepted": Folder.INTERNAL,
    "rejected": Folder.INTERNAL,
}
"""Where what an upload made is listed, by kind; the rest belongs to a version or to the withheld set."""


LONGEST_NAME = 255
"""Characters of a file's name on disk."""
ENDINGS = {"catalog": ".parquet", "changes_csv": ".changes.csv"}
"""The files of a version, by kind."""


def checked(made: tuple[Made, ...], out: Path) -> dict[str, Made]:
    """Give what a child says it made, by kind; Broken for anything but plain files in its own directory."""
    for one in made:
        if one.path.parent != out or not stat.S_ISREG(one.path.lstat().st_mode):
            raise Broken(f"the child process made {one.path.name!r} where it may not")
    return {one.kind: one for one in made}


class Keeping:
    """What one job made, on its way into the areas. Names carry a random part: a second try never meets the first."""

    def __init__(self, files: Files, brand: str, made: dict[str, Made]) -> None:
        self._files, self._brand, self._made = files, brand, made
        self._mark = secrets.token_hex(8)

    def results(self, upload: int) -> list[NewFile]:
        """Keep what belongs to the upload."""
        return [self._result(one, FOLDERS[kind], upload) for kind, one in self._made.items() if kind in FOLDERS]

    def keys(self, upload: int) -> str:
        """Keep the keys of what is withheld; gives the blob."""
        return self._result(self._made["keys"], Folder.INTERNAL, upload).blob

    def version(self, number: int, products: int, columns: tuple[str, ...], counts: dict[str, int]) -> NewVersion:
        """Keep the files of a version; Broken if it has none."""
        if "catalog" not in self._made:
            raise Broken("the catalog step made a version without a file")
        blobs = {kind: f"{self._brand}/{self._mark}{end}" for kind, end in ENDINGS.items() if kind in self._made}
        sizes = {kind: self._files.keep(Area.CATALOG, blob, self._made[kind].path) for kind, blob in blobs.items()}
        return NewVersion(
            number=number,
            file=blobs["catalog"],
            file_bytes=sizes["catalog"],
            products=products,
            columns=columns,
            changes_csv=blobs.get("changes_csv"),
            changes_csv_bytes=sizes.get("changes_csv", 0),
            counts=counts,
        )

    def _result(self, made: Made, folder: Folder, upload: int) -> NewFile:
        # Whole: cut, the names of two of its files could become the same.
        blob = f"{upload}-{self._mark}/{upload_name.safe(made.name, LONGEST_NAME)}"
        return NewFile(folder, made.name, Area.RESULTS, blob, self._files.keep(Area.RESULTS, blob, made.path))


def catalog_files(version: NewVersion) -> list[NewFile]:
    """List a version in /catalog: these names change with the pointer, in one transaction."""
    new = [NewFile(Folder.CATALOG, "current.parquet", Area.CATALOG, version.file, version.file_bytes)]
    if version.changes_csv is not None:
        name = f"v{version.number:06d}.changes.csv"
        new.append(NewFile(Folder.CATALOG, name, Area.CATALOG, version.changes_csv, version.changes_csv_bytes))
    return new
