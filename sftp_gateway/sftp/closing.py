"""The end of an open write handle: what is on disk when CLOSE is answered, and what becomes of the draft.

Also refusals at OPEN, which stand in the history as well. Serves home.py and writing.py.
"""

import asyncio
import contextlib
import hashlib
import time
from datetime import UTC, datetime
from typing import Any

import asyncssh
from msgspec.structs import replace

from sftp_gateway import errors, logs
from sftp_gateway.sftp import status
from sftp_gateway.sftp.draft import Draft, disk_refusal
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.opening import Writing
from sftp_gateway.sftp.session import Session
from sftp_gateway.sftp.view import View
from sftp_gateway.store import arrived, drafts
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry, Place

log = logs.get(__name__)

HALF_CLOSED = {
    "code": "FILE_INCOMPLETE",
    "text": "One of several connections that had this file open for writing ended without closing it, though another one did",
}
"""Often a dead one that the gateway took for alive, and its client has gone on over the other one."""
REMOVED = {
    "code": "FILE_INCOMPLETE",
    "text": "The file was never completed, and then removed by its sender",
    "suggestion": "Send the whole file again",
}


async def finish(homes: Homes, view: View, handle: Writing, *, clean: bool) -> None:
    """Close a write handle; `clean`: by a CLOSE packet.

    When it returns after a clean close, bytes, directory entry and row are on disk. Raises
    `asyncssh.SFTPFailure` if they could not be put there, or a WRITE before was refused.
    """
    draft = handle.draft
    if handle not in draft.handles:
        if handle.refusal is not None:
            await _finish_refused(homes, view, handle, handle.refusal, clean=clean)
        return
    draft.dropped |= not clean
    draft.closed |= clean and handle.bytes > 0
    if _is_usual(draft) and await homes.journal.room(draft.size):
        if handle not in draft.handles:
            return  # its connection ended while there was no room, and with it this handle
        if _is_usual(draft):
            await _put_down(homes, view, handle)
            return
    await _sync(draft)
    draft.handles.discard(handle)
    if draft.handles:
        entry = view.put(_as_it_is(homes, draft))
        written: asyncio.Future[Any] = homes.save(view, entry)
    else:
        written = _end(homes, view, draft)
    entry, upload = draft.entry, draft.entry.upload
    try:
        told = await written
        if entry.place is Place.REFUSED:
            upload = told
    except errors.GatewayError as error:
        _lost(homes, view, entry)
        raise asyncssh.SFTPFailure("The gateway could not record the file; please send it again") from error
    finally:
        _audit(handle, replace(entry, upload=upload), clean=clean)
    homes.wake()
    if clean and draft.refusal is not None:
        raise asyncssh.SFTPFailure(status.text(draft.refusal, upload))


async def _finish_refused(homes: Homes, view: View, handle: Writing, refusal: errors.Refused, *, clean: bool) -> None:
    upload = await refused(homes, view, handle.by.place.sent, handle.by.session, refusal)
    if clean:
        status.fail(refusal, upload)


def _is_usual(draft: Draft) -> bool:
    """Whether this is the usual end of a file: its only handle is closed, nothing is wrong with it."""
    odd = draft.dropped or draft.refusal or draft.removed or len(draft.handles) > 1
    return not odd and (draft.wrote or draft.is_new)


async def _put_down(homes: Homes, view: View, handle: Writing) -> None:
    """Close a small file: row and bytes go into the journal, the row into the store soon after."""
    draft = handle.draft
    draft.handles.discard(handle)
    entry = _as_it_is(homes, draft, place=Place.CLOSED, owner="", due_at=homes.due(homes.now()))
    try:
        data: bytes | bytearray
        if (held := draft.take()) is not None:
            homes.unwritten.keep(entry.id, data := held)
        else:
            data = draft.read(0, draft.size)
            if not entry.sha256:  # it came in another order
                entry = replace(entry, sha256=hashlib.sha256(data).hexdigest())
        draft.close()
        view.put(entry)
        view.release(entry.id)
        draft.entry = entry
        homes.owe(homes.journal.put(entry, data), entry)
        await homes.journal.sync(handle.by.session)
    except OSError as error:
        log.exception("journal.unsynced", reason=str(error))
        with contextlib.suppress(errors.Unavailable):
            homes.unwritten.put_down(entry.id)
        _lost(homes, view, entry)
        raise asyncssh.SFTPFailure("The gateway could not store the file safely; please send it again") from error
    finally:
        # After the answer, while the client makes its next request.
        asyncio.get_running_loop().call_soon(_told, homes, handle, entry)


def _told(homes: Homes, handle: Writing, entry: Entry) -> None:
    _audit(handle, entry, clean=True)
    homes.wake()


async def sync(handle: Writing) -> None:
    """Put what was written so far on disk (fsync@openssh.com). Raises `asyncssh.SFTPFailure`."""
    await _sync(handle.draft)
    if handle.draft.refusal is not None:
        raise asyncssh.SFTPFailure(str(handle.draft.refusal))


async def _sync(draft: Draft) -> None:
    if draft.refusal is not None:
        with contextlib.suppress(OSError):
            draft.put_down()
        return
    if not draft.wrote and draft.size:
        return
    try:
        draft.put_down()
    except OSError as error:
        draft.refusal = disk_refusal(error)
        return
    try:
        await asyncio.to_thread(draft.sync)
    except OSError as error:
        # Never tried again: after a failed fsync the kernel takes the lost pages for clean.
        log.exception("draft.unsynced", brand=draft.entry.brand, path=draft.entry.sent, reason=str(error))
        draft.refusal = errors.Refused(
            "disk_failed", "The gateway could not store the file safely; please send it again"
        )


def _as_it_is(homes: Homes, draft: Draft, **more: Any) -> Entry:
    """Give the row of a draft as it is now, and with what is told."""
    return replace(
        draft.entry,
        bytes=draft.size,
        sha256=draft.sha256 if draft.wrote else draft.sha256 or draft.entry.sha256,
        modified_at=datetime.fromtimestamp(draft.modified_at, UTC),
        changed_at=homes.now(),
        **more,
    )


def _end(homes: Homes, view: View, draft: Draft) -> "asyncio.Future[Any]":
    """Decide what becomes of a draft whose last handle is closed; memory and ledger in one step."""
    entry = _as_it_is(homes, draft)
    draft.close()
    view.release(entry.id)
    if draft.removed and entry.upload is None:
        return forget(homes, view, draft)
    if draft.origin is not None and not draft.wrote and not draft.refusal:
        return forget(homes, view, draft, draft.origin)
    if draft.dropped and entry.path is None and entry.upload is None:
        return forget(homes, view, draft)  # a later file of its name is there: nobody resumes it
    place = Place.DROPPED if draft.dropped else Place.CLOSED
    reason = HALF_CLOSED if draft.dropped and draft.closed else None
    if draft.removed:
        place, reason = Place.REFUSED, REMOVED
    elif draft.refusal is not None:
        reason = status.reason(draft.refusal)
        resumable = draft.refusal.code == "disk_full" and draft.file.exists()
        place = Place.DROPPED if resumable else Place.REFUSED
    entry = replace(entry, place=place, owner="", due_at=homes.due(entry.changed_at), reason=reason)
    if place is Place.REFUSED:
        entry = replace(entry, path=None, due_at=entry.changed_at)
        view.drop(entry.id)
        draft.discard()
        draft.entry = entry
        return homes.commit(view, lambda tx: arrived.refused(tx, entry))
    view.put(entry)
    draft.entry = entry
    return homes.save(view, entry)


def forget(homes: Homes, view: View, draft: Draft, origin: Entry | None = None) -> "asyncio.Future[Any]":
    """Forget a draft; `origin`: the accepted entry that was opened for it, whose name comes back."""
    id_, path = draft.entry.id, draft.entry.path
    if id_ in view.live:
        view.release(id_)
    view.drop(id_)
    draft.discard()
    # Without a path its name went to a later file meanwhile.
    back = view.put(replace(origin, path=path)) if origin and path else None

    def do(tx: Transaction) -> None:
        drafts.remove(tx, id_)
        if back:
            drafts.save(tx, back)

    return homes.commit(view, do)


def _lost(homes: Homes, view: View, entry: Entry) -> None:
    """Its row could not be written: it will be when the store answers, so that its name does not stay open for ever.

    Whatever a restart finds, here a closed one counts as interrupted.
    """
    if entry.id in view.live or entry.place not in {Place.CLOSED, Place.DROPPED, Place.REFUSED}:
        return
    if entry.place is not Place.REFUSED:
        entry = replace(entry, place=Place.DROPPED)
        if view.get(entry.id) is not None:
            view.put(entry)
    homes.owe(None, entry)


def _audit(handle: Writing, entry: Entry, *, clean: bool) -> None:
    """Write the line that joins a transfer with history and receipt."""
    log.info(
        "transfer.closed",
        upload=entry.upload,
        brand=entry.brand,
        path=entry.sent,
        draft=entry.id,
        **handle.by.session.facts(),
        bytes=entry.bytes,
        written_bytes=handle.bytes,
        declared_bytes=entry.declared_bytes,
        how="refused" if handle.draft.refusal else "close" if clean else "drop",
        reason=str(handle.draft.refusal) if handle.draft.refusal else None,
        sha256=entry.sha256 or None,
        seconds=round(time.monotonic() - handle.opened, 3),
    )


async def refused(homes: Homes, view: View, path: str, session: Session, refusal: errors.Refused) -> int | None:
    """Have a refusal at OPEN stand in the history (spec §2), once in a while for a client that insists; gives its id."""
    log.info("transfer.refused", brand=view.brand, path=path, code=refusal.code, reason=str(refusal), **session.facts())
    entry = homes.new_entry(
        view, path, None, Place.REFUSED, client=session.facts(), due_at=homes.now(), reason=status.reason(refusal)
    )
    try:
        upload = await homes.commit(view, lambda tx: arrived.refused(tx, entry))
    except errors.GatewayError:
        return None  # the ledger tells; the client is refused all the same
    homes.wake()
    return upload
