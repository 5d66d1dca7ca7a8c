"""Names in the writable directories: rename, remove, mkdir, rmdir, times. Serves home.py.

Nothing here ever touches the catalog: an accepted file is an upload of its own, and its name only a
name. The one rename that means more is `/test` → `/inbox` or `/partial`: it submits the same bytes.
"""

from datetime import UTC, datetime

import asyncssh
from msgspec.structs import replace

from sftp_gateway.sftp import closing, names, neighbour, status, writing
from sftp_gateway.sftp.draft import Draft
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.view import View
from sftp_gateway.store import directories, drafts, uploads
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import UNDER_WAY, Entry, Place
from sftp_gateway.upload import State


async def rename(homes: Homes, view: View, old: names.Place, new: names.Place, *, over: bool) -> None:
    """Give a file or directory another name; `over`: also one that is still under way (posix-rename)."""
    async with view.lock:
        await homes.refresh(view)
        source = view.at(old.path)
        if source is None:
            raise asyncssh.SFTPNoSuchFile("No such file")
        if old.path == new.path:
            return
        status.check_parent(view, new)
        target = view.at(new.path)
        if target is not None and target.place is Place.DIRECTORY:
            raise asyncssh.SFTPFailure("The name exists already, as a directory")
        if source.place is Place.DIRECTORY:
            await _rename_directory(homes, view, old, new, target)
            return
        neighbour.check_hands_off(homes, source)
        if target is not None:
            if target.place in UNDER_WAY and not over:
                raise asyncssh.SFTPFailure("The name exists already and is still being received")
            source = await _displace(homes, view, target, source)
        await _renamed(homes, view, source, new)
    homes.wake()


async def _rename_directory(homes: Homes, view: View, old: names.Place, new: names.Place, target: Entry | None) -> None:
    if target is not None:
        raise asyncssh.SFTPFailure("The name exists already")
    if new.path.startswith(old.path + "/"):
        raise asyncssh.SFTPFailure("A directory cannot be moved into itself")
    below = list(view.below(old.path))
    if not all(names.fits(f"/{new.path}{str(item.path)[len(old.path) :]}") for item in below):
        raise asyncssh.SFTPFailure("The path of a file below it would be too long or too deep")
    await _moved_whole(homes, view, old.path, new, [view.live[item.id] for item in below if item.id in view.live])
    homes.wake()


async def _moved_whole(homes: Homes, view: View, old: str, new: names.Place, live: list[Draft]) -> None:
    """Give a directory and all below it other names, in one commit; `live`: the drafts there that are open here."""
    now = homes.now()
    for draft in live:
        below = str(draft.entry.path)[len(old) :]
        _renamed_live(view, draft, new.path + below, new.sent + below)
    ahead = [draft.entry for draft in live]

    def do(tx: Transaction) -> list[Entry]:
        for entry in ahead:
            drafts.save(tx, entry)
        return directories.rename(
            tx,
            view.brand,
            old,
            new.path,
            sent=new.sent,
            now=now,
            due_at=homes.due(now),
            submits=_submits(old, new.path),
        )

    for row in await homes.commit(view, do):
        opened = view.live.get(row.id)
        if opened is None:
            view.put(row)
        elif opened.entry.path is not None:  # it may have been opened since
            view.put(replace(opened.entry, path=row.path, sent=row.sent))


async def _displace(homes: Homes, view: View, target: Entry, source: Entry) -> Entry:
    """Take the name from what has it; gives the source, with the id of an unfinished upload it completes."""
    if target.place in {Place.OPEN, Place.CLOSED, Place.CLAIMED}:
        writing.detach(homes, view, target)
        return source

    def do(tx: Transaction) -> int | None:
        row = drafts.remove(tx, target.id)
        if row is None or row.upload is None or source.upload is not None or source.place not in UNDER_WAY:
            return None
        if uploads.find(tx.conn, row.upload).state is not State.UNFINISHED:
            return None
        if drafts.move(tx, source.id, [Place.OPEN, Place.CLOSED, Place.DROPPED], upload=row.upload) is None:
            return None
        uploads.move(tx, row.upload, State.RECEIVING)
        return row.upload

    if source.id in view.live:  # its row may not be written yet
        view.live[source.id].put_down()
        await homes.commit(view, lambda tx: drafts.save(tx, source))
    upload = await homes.commit(view, do)
    view.drop(target.id)
    homes.staging.file(target.id).unlink(missing_ok=True)
    return view.put(replace(source, upload=upload)) if upload else source


async def _renamed(homes: Homes, view: View, source: Entry, new: names.Place) -> None:
    if (draft := view.live.get(source.id)) is not None:
        await homes.save(view, _renamed_live(view, draft, new.path, new.sent))
        return
    now = homes.now()
    moved = {"sent": new.sent, "changed_at": now, "due_at": homes.due(now)}

    def do(tx: Transaction) -> Entry | None:
        row = drafts.get(tx.conn, source.id)
        if row is not None and row.place in {Place.OPEN, Place.CLOSED, Place.DROPPED}:
            return drafts.rename(tx, row.id, new.path, **moved)
        if row is not None and row.place is Place.ACCEPTED and _submits(str(row.path), new.path):
            values = moved | {"place": Place.CLOSED, "upload": None, "expires_at": None, "declared_bytes": None}
            return drafts.rename(tx, row.id, new.path, **values)
        return drafts.rename(tx, source.id, new.path)

    if (row := await homes.commit(view, do)) is not None:
        view.put(row)


def _renamed_live(view: View, draft: Draft, path: str, sent: str) -> Entry:
    draft.put_down()  # the row is written now, and means bytes in a file
    return view.put(replace(draft.entry, path=path, sent=sent))


def _submits(old: str, new: str) -> bool:
    return old.startswith("test/") and not new.startswith("test/")


async def remove(homes: Homes, view: View, place: names.Place) -> None:
    """Take a file out of the view; what was accepted stays an upload."""
    async with view.lock:
        await homes.refresh(view)
        entry = view.at(place.path)
        if entry is None:
            raise asyncssh.SFTPNoSuchFile("No such file")
        if entry.place is Place.DIRECTORY:
            raise asyncssh.SFTPFailure("This is a directory; remove it as one")
        neighbour.check_hands_off(homes, entry)
        draft = view.live.get(entry.id)
        if draft is not None:
            draft.removed = True
            draft.dropped = True
            writing.detach(homes, view, entry)
            return
        now = homes.now()
        row = await homes.commit(view, lambda tx: _remove_row(tx, entry.id, now))
        view.drop(entry.id)
        if row is not None:
            homes.staging.file(row.id).unlink(missing_ok=True)
    homes.wake()


def _remove_row(tx: Transaction, id_: str, now: datetime) -> Entry | None:
    """Give the row if its staging file is free to go."""
    row = drafts.get(tx.conn, id_)
    if row is not None and row.place is Place.CLAIMED:
        drafts.move(tx, id_, [Place.CLAIMED], path=None)
        return None
    if row is not None and row.place in UNDER_WAY and row.upload is not None:
        drafts.move(tx, id_, [row.place], place=Place.REFUSED, path=None, reason=closing.REMOVED, due_at=now)
        return None
    return drafts.remove(tx, id_)


async def make_directory(homes: Homes, view: View, place: names.Place) -> None:
    """Make a directory, for good."""
    async with view.lock:
        await homes.refresh(view)
        if view.is_directory(place.path) or view.at(place.path):
            raise asyncssh.SFTPFailure("The name exists already")
        status.check_parent(view, place)
        view.allowance.check_files()
        entry = homes.new_entry(view, place.sent, place.path, Place.DIRECTORY)
        await homes.commit(view, lambda tx: drafts.save(tx, entry))
        view.put(entry)


async def remove_directory(homes: Homes, view: View, place: names.Place) -> None:
    """Remove an empty directory."""
    async with view.lock:
        await homes.refresh(view)
        entry = view.at(place.path)
        if entry is None:
            raise asyncssh.SFTPNoSuchFile("No such directory")
        if entry.place is not Place.DIRECTORY:
            raise asyncssh.SFTPFailure("This is a file")
        if next(view.below(place.path), None) is not None:
            raise asyncssh.SFTPFailure("The directory is not empty")
        await homes.commit(view, lambda tx: drafts.remove(tx, entry.id))
        view.drop(entry.id)


async def set_time(homes: Homes, view: View, place: names.Place, modified: float) -> None:
    """Remember the modification time a client gives a name."""
    await homes.refresh(view)
    entry = view.at(place.path)
    if entry is None:
        return
    if draft := view.live.get(entry.id):
        draft.modified = modified
        return
    at = datetime.fromtimestamp(modified, UTC)
    view.put(replace(entry, modified_at=at))
    await homes.commit(view, lambda tx: drafts.move(tx, entry.id, list(Place), modified_at=at))
