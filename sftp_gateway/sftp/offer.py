"""What the SFTP server says that it can do, and what it does not do."""

from typing import Any

import asyncssh
from asyncssh import constants
from asyncssh.packet import SSHPacket
from asyncssh.sftp import SFTPLimits

KIB = 1024

READ_BYTES = 256 * KIB

EXTENSIONS = (
    b"posix-rename@openssh.com",
    b"fsync@openssh.com",
    b"lsetstat@openssh.com",
    b"limits@openssh.com",
    b"statvfs@openssh.com",
    b"fstatvfs@openssh.com",
)
LINKS = (constants.FXP_READLINK, constants.FXP_SYMLINK, constants.FXP_LINK, b"hardlink@openssh.com")
NOT_OFFERED = (constants.FXP_BLOCK, constants.FXP_UNBLOCK, b"copy-data", b"ranges@asyncssh.com")


def limits(most_handles: int) -> SFTPLimits:
    """Announce what OpenSSH's own server announces: its clients then write 255 KiB at a time."""
    return SFTPLimits(256 * KIB, 255 * KIB, 255 * KIB, most_handles)


async def no_links(_handler: Any, _packet: SSHPacket) -> object:
    """Answer a request about links."""
    raise asyncssh.SFTPOpUnsupported("Links are not supported here")
