"""Drafts of another host of the gateway: their bytes lie in its staging directory, and from here only their rows are seen.

And those that another process of this host has open, as one that drains after an upgrade. Serves writing.py, moving.py
and reading.py.
"""

import asyncssh
from msgspec.structs import replace

from sftp_gateway.sftp import opening
from sftp_gateway.sftp.draft import Draft
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.view import View
from sftp_gateway.store import drafts
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.upload import State

TOLD = "The bytes of this file are on another host of the gateway; send the whole file again"
UNREADABLE = "The bytes of this file are on another host of the gateway; they can be read once it is taken in"
ELSEWHERE = "The file is still being written over another connection; try again in a minute"
GOES_ON = {State.UNFINISHED, State.RECEIVING}


def has(homes: Homes, entry: Entry) -> bool:
    """Whether the bytes of a draft lie on another host."""
    return not entry.id.startswith(homes.staging.area)


def check_hands_off(homes: Homes, entry: Entry) -> None:
    """Raise SFTPFailure for what another process of this host has open: it will write the row, and its name, once more."""
    if entry.place is Place.OPEN and entry.owner != homes.owner and not has(homes, entry):
        raise asyncssh.SFTPFailure(ELSEWHERE)


async def give_up_name(homes: Homes, view: View, entry: Entry, draft: Draft) -> None:
    """Let a new draft stand for one of another host: it goes on with its upload, as what was sent anew here does.

    That host removes the bytes once they have no row. What it received meanwhile stays an upload of its own.
    """

    def do(tx: Transaction) -> int | None:
        row = drafts.move(tx, entry.id, [Place.CLOSED, Place.DROPPED], seen=entry.changed_at, path=None)
        if row is None:
            drafts.move(tx, entry.id, [Place.OPEN, Place.CLOSED, Place.DROPPED, Place.CLAIMED], path=None)
            return None
        drafts.remove(tx, row.id)
        upload = row.upload if row.upload is not None and opening.go_on(tx, row.upload) in GOES_ON else None
        drafts.save(tx, replace(draft.entry, upload=upload))
        return upload

    try:
        draft.put_down()  # the row is written now, and means bytes in a file
        upload = await homes.commit(view, do)
    except BaseException:
        view.release(draft.entry.id)
        view.drop(draft.entry.id)
        draft.discard()
        view.put(entry)
        raise
    view.put(replace(draft.entry, upload=upload))
