"""Opening a name for writing: which draft the bytes go to.

The ways to open a name that is there already (spec §2): still open, closed but not settled, dropped,
accepted; with truncation or without. Serves home.py.
"""

import asyncio
import contextlib
import functools
import time

import asyncssh
from asyncssh.constants import FXF_CREAT, FXF_TRUNC
from msgspec.structs import replace

from sftp_gateway import errors, upload_name
from sftp_gateway.blobs import sync_directory, sync_file, unshare
from sftp_gateway.sftp import closing, neighbour, opening, reading, status
from sftp_gateway.sftp.draft import Draft
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.opening import Opening, Writing
from sftp_gateway.sftp.session import Session
from sftp_gateway.sftp.view import View
from sftp_gateway.store import drafts, unfinished
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import UNDER_WAY, Entry, Place
from sftp_gateway.upload import State

NOTE_AFTER_SECONDS = 0.05
NOTE_SMALL_AFTER_SECONDS = 1.0
"""A draft that lives longer gets its row before it is closed; a small file, whose bytes are in memory still, after the
longer time, so that it needs one commit, and no second copy of its bytes, also where hundreds send at once.

So a draft that is younger than this when the gateway is killed leaves no trace in the history: nothing of it was
acknowledged, its client saw the connection end in mid-file, and there is nothing worth resuming.
"""
CLAIM_PATIENCE_SECONDS = 60.0
CLAIM_LOOK_SECONDS = 0.01


async def start(homes: Homes, view: View, by: Opening) -> Writing:
    """Open a name for writing. Raises Refused (it goes into the history) and `asyncssh.SFTPError`."""
    until = time.monotonic() + CLAIM_PATIENCE_SECONDS
    while True:
        # Before the lock: who waited for the store with it would have all others queue up, and then each of
        # them in turn gets it a turn of the loop later (a convoy, which does not end while files come).
        if view.is_stale():
            await homes.refresh(view)
        before = _upload_at(view, by.place.path)
        goes_on = before is not None and await asyncio.to_thread(unfinished.has, homes.store, before)
        async with view.lock:
            if view.is_stale():
                await homes.refresh(view)
            if _upload_at(view, by.place.path) != before:
                continue
            view.allowance.check(0, by.declared or 0)  # also where it goes on with what is there
            draft = await _draft(homes, view, by, goes_on=goes_on)
            if draft is not None:
                handle = Writing(draft, by)
                draft.handles.add(handle)
                # Emptied, it is another file: what was declared of the bytes before says nothing of it.
                if by.declared or by.flags & FXF_TRUNC:
                    declare(view, draft, by.declared)
                return handle
        # The intake moves this file right now, which takes as long as hashing it.
        if time.monotonic() > until:
            raise asyncssh.SFTPFailure("The file is being taken in; try again in a minute")
        await asyncio.sleep(CLAIM_LOOK_SECONDS)


def declare(view: View, draft: Draft, declared: int | None) -> None:
    """Note what was declared of the bytes that come now."""
    if draft.entry.declared_bytes != declared:
        view.put(replace(draft.entry, declared_bytes=declared))


def _upload_at(view: View, path: str) -> int | None:
    """Tell whose accepted bytes have a name."""
    entry = view.at(path)
    return entry.upload if entry is not None and entry.place not in UNDER_WAY else None


async def _draft(homes: Homes, view: View, by: Opening, *, goes_on: bool) -> Draft | None:
    """Find or make the draft; None if the intake has it in hand."""
    entry = view.at(by.place.path)
    if entry is None:
        if not by.flags & FXF_CREAT:
            raise asyncssh.SFTPNoSuchFile("No such file")
        status.check_parent(view, by.place)
        return begin(homes, view, by)
    if entry.place is Place.DIRECTORY:
        raise asyncssh.SFTPFailure("This is a directory")
    if entry.place in UNDER_WAY:
        if by.exclusive:
            raise asyncssh.SFTPFailure("The name exists already and is still being received")
        return await _again(homes, view, entry, by)
    return await _anew(homes, view, entry, by, goes_on=goes_on)


def begin(homes: Homes, view: View, by: Opening, instead: Entry | None = None) -> Draft:
    """Make a new, empty draft under a name, `instead` of what has it; its row is written soon. Refused without room."""
    check_room(homes, view, by.declared, instead)
    entry = homes.new_entry(
        view, by.place.sent, by.place.path, Place.OPEN,
        declared_bytes=by.declared, owner=homes.owner, client=by.session.facts(),
    )  # fmt: skip
    draft = Draft(entry, homes.staging.folder, view.allowance, homes.unwritten)
    draft.create()
    view.live[entry.id] = draft
    view.put(entry)
    asyncio.get_running_loop().call_later(NOTE_AFTER_SECONDS, _note, homes, view, draft)
    return draft


def check_room(homes: Homes, view: View, declared: int | None = None, instead: Entry | None = None) -> None:
    """Raise Refused if there is no room for a new draft, of that size if it is known, in the place of an entry."""
    freed = view.size(instead) if instead else 0
    if instead is None:
        view.allowance.check_files()
    view.allowance.check(max(1, declared or 0) - freed, declared or 0)
    homes.check_disk(declared or 0)


def _note(homes: Homes, view: View, draft: Draft, *, may_wait: bool = True) -> None:
    """Write the row of a draft that is still open, so that a restart knows of its bytes; a small one may wait."""
    if view.live.get(draft.entry.id) is not draft:
        return
    if may_wait and draft.is_in_memory:
        later = functools.partial(_note, homes, view, draft, may_wait=False)
        asyncio.get_running_loop().call_later(NOTE_SMALL_AFTER_SECONDS, later)
        return
    with contextlib.suppress(OSError):  # the next WRITE meets it, too
        draft.put_down()
    homes.save(view, draft.entry).add_done_callback(functools.partial(_noted, homes, view, draft))


def _noted(homes: Homes, view: View, draft: Draft, done: asyncio.Future[None]) -> None:
    """Note it once more, later, where the store did not answer: its bytes may come for hours."""
    if not done.cancelled() and isinstance(done.exception(), errors.Unavailable):
        asyncio.get_running_loop().call_later(NOTE_SMALL_AFTER_SECONDS, _note, homes, view, draft)


async def _again(homes: Homes, view: View, entry: Entry, by: Opening) -> Draft | None:
    """Open a name that is still under way."""
    draft = view.live.get(entry.id)
    if draft is None and entry.place is Place.CLAIMED:
        await homes.refresh(view, force=True)
        return None
    if draft is None and entry.place is Place.OPEN and entry.owner != homes.owner:
        raise asyncssh.SFTPFailure(neighbour.ELSEWHERE)
    # An empty one that another session has open is about to be written: their bytes would be one mixture.
    begun = view.size(entry) > 0 or (draft is not None and _is_elsewhere(draft, by.session))
    aside = by.flags & FXF_TRUNC and begun and (draft is not None or entry.place is Place.CLOSED)
    if aside and (draft is not None or _may_be_upload(homes, by.place.path)):
        detach(homes, view, entry)
        return begin(homes, view, by)
    if draft is None and neighbour.has(homes, entry):
        return await _instead(homes, view, entry, by)
    if draft is None:
        draft = await _reopen(homes, view, entry, by.session)
    if draft is not None and by.flags & FXF_TRUNC:
        draft.truncate(0)
    return draft


async def _instead(homes: Homes, view: View, entry: Entry, by: Opening) -> Draft:
    """Begin anew under the name of a draft of another host: there is nothing here to go on with."""
    if not by.flags & FXF_TRUNC:
        raise asyncssh.SFTPFailure(neighbour.TOLD)
    draft = begin(homes, view, by, entry)
    await neighbour.give_up_name(homes, view, entry, draft)
    return draft


def _is_elsewhere(draft: Draft, session: Session) -> bool:
    return any(handle.session != session.id for handle in draft.handles)


def _may_be_upload(homes: Homes, path: str) -> bool:
    return path not in homes.temporary and upload_name.subject(path) is None


def detach(homes: Homes, view: View, entry: Entry) -> None:
    """Take the name from a draft that goes on without it: it becomes an upload of its own."""
    view.put(replace(entry, path=None))
    homes.commit(view, lambda tx: drafts.detach(tx, {entry.id: (entry.brand, entry.path)}))


async def _reopen(homes: Homes, view: View, entry: Entry, session: Session) -> Draft | None:
    """Go on with a draft that was closed or dropped; None if the intake was faster."""
    now = homes.now()

    def do(tx: Transaction) -> Entry | None:
        row = drafts.move(
            tx, entry.id, [Place.CLOSED, Place.DROPPED], place=Place.OPEN, owner=homes.owner, due_at=None,
            reason=None, changed_at=now, client=session.facts(),
        )  # fmt: skip
        if row is not None and row.upload is not None:
            opening.go_on(tx, row.upload)
        return row

    # Its bytes may be in the journal only, which speaks for them no longer from here on.
    homes.unwritten.put_down(entry.id)
    with contextlib.suppress(FileNotFoundError):
        await asyncio.to_thread(sync_file, homes.staging.file(entry.id))
        await asyncio.to_thread(sync_directory, homes.staging.folder)
    row = await homes.commit(view, do)
    if row is None:
        await homes.refresh(view, force=True)
        return None
    draft = Draft(row, homes.staging.folder, view.allowance, homes.unwritten)
    try:
        await asyncio.to_thread(unshare, draft.file)
        if not draft.file.exists():  # sent once more from /test: its bytes are a blob
            await asyncio.to_thread(reading.copy_blob, homes.files, row.sha256, draft.file)
        draft.reopen()
    except BaseException:
        homes.owe(None, replace(entry, due_at=homes.due(now)))  # nobody has it open: it rests as it was
        raise
    view.live[row.id] = draft
    view.put(replace(row, bytes=draft.size))
    return draft


async def _anew(homes: Homes, view: View, entry: Entry, by: Opening, *, goes_on: bool) -> Draft:
    """Open an accepted name: a new draft, empty or with a copy of its bytes, which `goes_on` with an unfinished upload."""
    source = None
    if not (by.flags & FXF_TRUNC or by.exclusive):
        source = await reading.open_bytes(homes, entry)
    try:
        draft = begin(homes, view, by, entry)
        try:
            if source is not None:
                draft.origin = entry
                # Its room is taken before the copy: others write meanwhile.
                draft.truncate(entry.bytes)
                draft.wrote = False
                draft.put_down()
                await asyncio.to_thread(draft.fill_from, source, entry.bytes)
            if goes_on and entry.upload is not None:
                await _adopt(homes, view, draft, entry.upload)
        except BaseException:
            closing.forget(homes, view, draft, entry)
            raise
    finally:
        if source is not None:
            source.close()
    return draft


async def _adopt(homes: Homes, view: View, draft: Draft, upload: int) -> None:
    """Let a draft go on with the id of the upload whose name it has, if that one is unfinished still."""
    with_id = replace(draft.entry, upload=upload)

    def do(tx: Transaction) -> bool:
        waits = opening.go_on(tx, upload) is State.UNFINISHED
        if waits:
            drafts.save(tx, with_id)
        return waits

    if await homes.commit(view, do):
        draft.origin = None  # the id is on the draft now, written to or not
        view.put(with_id)
