"""Immutable files by name, on local disk or S3; the one place that writes, syncs, renames, syncs the directory.

Names are ours (hashes, random hex), never from outside. Nothing is changed once it is kept; the
store's rows say what a blob is for, and retention removes what no row refers to.
"""

from sftp_gateway import settings
from sftp_gateway.blobs.area import Area, Blob, Files, lent
from sftp_gateway.blobs.local import LocalFiles
from sftp_gateway.blobs.place import place, place_secret, side_by_side, sync_directory, sync_file, unshare
from sftp_gateway.errors import ConfigError

__all__ = [
    "Area",
    "Blob",
    "Files",
    "LocalFiles",
    "lent",
    "open_files",
    "place",
    "place_secret",
    "side_by_side",
    "sync_directory",
    "sync_file",
    "unshare",
]


def open_files(storage: settings.Storage, patience_seconds: float | None = None) -> Files:
    """Open the blobs where the settings say they are; ConfigError, Unavailable.

    `patience_seconds`: how long a bucket is waited for, less than the minutes that it usually is.
    """
    if not storage.files:
        return LocalFiles(storage.root)
    try:
        # Here and not above: obstore is an extra that few need.
        from sftp_gateway.blobs.s3 import S3Files  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        raise ConfigError("storage.files: S3 needs the extra: pip install 'sftp-gateway[s3]'") from None
    return S3Files(storage.files, storage.root, patience_seconds)
