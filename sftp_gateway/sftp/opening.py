"""An OPEN for writing, the handle it gives, and the upload that goes on with it. Serves writing.py, closing.py and rival.py."""

import time

from asyncssh.constants import FXF_CREAT, FXF_EXCL
from msgspec import Struct, field

from sftp_gateway import errors
from sftp_gateway.sftp.draft import Draft
from sftp_gateway.sftp.names import Place
from sftp_gateway.sftp.session import Session
from sftp_gateway.store import uploads
from sftp_gateway.store.database import Transaction
from sftp_gateway.upload import State


class Opening(Struct, frozen=True):
    """Who opens what for writing: the flags of FXP_OPEN, and the size it declares."""

    place: Place
    session: Session
    flags: int
    declared: int | None = None

    @property
    def exclusive(self) -> bool:
        """Whether the name must be free."""
        return bool(self.flags & FXF_EXCL and self.flags & FXF_CREAT)


class Writing(Struct, eq=False):
    """An open write handle; `refusal`: why nothing that comes over it goes into its draft, or any."""

    draft: Draft
    by: Opening
    opened: float = field(default_factory=time.monotonic)
    bytes: int = 0
    refusal: errors.Refused | None = None

    @property
    def session(self) -> str:
        """The id of the session that has it."""
        return self.by.session.id


def go_on(tx: Transaction, upload: int) -> State:
    """Have an upload received again if it is unfinished; gives the state that it was in."""
    state = uploads.find(tx.conn, upload).state
    if state is State.UNFINISHED:
        uploads.move(tx, upload, State.RECEIVING)
    return state
