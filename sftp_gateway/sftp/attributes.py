"""What is told of a name: size, mode and time; and of a brand's room, as if it were a disk."""

import stat

import asyncssh

from sftp_gateway.sftp import names
from sftp_gateway.sftp.allowance import Allowance
from sftp_gateway.sftp.view import View
from sftp_gateway.store import files as shelf
from sftp_gateway.store.drafts import Entry, Place

FILE, DIRECTORY = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755
READ_ONLY_FILE, READ_ONLY_DIRECTORY = stat.S_IFREG | 0o444, stat.S_IFDIR | 0o555


def of(mode: int, size: int, modified: float) -> asyncssh.SFTPAttrs:
    """Make attributes; everything belongs to nobody and has one name."""
    at = int(modified)
    return asyncssh.SFTPAttrs(size=size, uid=0, gid=0, permissions=mode, atime=at, mtime=at, nlink=1)


def entry(view: View, row: Entry) -> asyncssh.SFTPAttrs:
    """Tell of what a brand has in its own directories; of a draft that is open what is true now."""
    draft = view.live.get(row.id)
    modified = row.modified_at.timestamp() if draft is None else draft.modified_at
    if row.place is Place.DIRECTORY:
        return of(DIRECTORY, 0, modified)
    return of(FILE, view.size(row), modified)


def shelved(file: shelf.File) -> asyncssh.SFTPAttrs:
    """Tell of a file that the gateway made."""
    return of(READ_ONLY_FILE, file.bytes, file.created_at.timestamp())


def quota(allowance: Allowance) -> asyncssh.SFTPVFSAttrs:
    """Tell the quota as the size of a disk, and what is left of it as its free blocks."""
    block = 4096
    free = max(0, allowance.limits.quota_bytes - allowance.used_bytes) // block
    free_files = max(0, allowance.limits.quota_files - allowance.used_files)
    return asyncssh.SFTPVFSAttrs(
        bsize=block, frsize=block, blocks=allowance.limits.quota_bytes // block, bfree=free, bavail=free,
        files=allowance.limits.quota_files, ffree=free_files, favail=free_files, fsid=0, flags=0,
        namemax=names.LONGEST_NAME_BYTES,
    )  # fmt: skip
