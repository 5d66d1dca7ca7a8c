"""What READDIR tells: the names in a directory, our own at the top among them."""

from collections.abc import AsyncIterator

import asyncssh

from sftp_gateway import upload_name
from sftp_gateway.sftp import attributes, names, reading
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.view import View


async def names_in(homes: Homes, view: View, place: names.Place, opened_at: float) -> AsyncIterator[asyncssh.SFTPName]:
    """List a directory; directories are as old as the session (`opened_at`). Raises SFTPNoSuchFile."""
    await homes.refresh(view)
    own = place.writable or not place.path
    if own and not view.is_directory(place.path or "inbox"):
        raise asyncssh.SFTPNoSuchFile("No such directory")
    yours = attributes.of(attributes.DIRECTORY, 0, opened_at)
    ours = attributes.of(attributes.READ_ONLY_DIRECTORY, 0, opened_at)
    for dot in (b".", b".."):
        yield asyncssh.SFTPName(dot, attrs=yours if own else ours)
    if not place.path:
        for name in (*upload_name.TOPS, *names.FOLDERS):
            yield asyncssh.SFTPName(name.encode(), attrs=yours if name in upload_name.TOPS else ours)
    if not place.writable:
        for file in await reading.listed(homes, view.brand, place.path):
            yield asyncssh.SFTPName(file.name.encode(), attrs=attributes.shelved(file))
    if own:
        for name, entry in view.listing(place.path or "inbox"):
            if place.path or name not in names.VIRTUAL:
                yield asyncssh.SFTPName(name.encode(), attrs=attributes.entry(view, entry))
