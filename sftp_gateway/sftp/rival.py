"""Two clients that write one name at the same time without truncation, as OpenSSH's scp does: each has a draft of its own.

No OPEN tells them from one client that sends the parts of a file over several sessions; the first bytes do. Who sends
parts writes the beginning in one session, and if in a second one (again, the first broke off) then while others are at
work. So a rival is who begins at the beginning of what one other session alone began and still writes. Serves home.py.
"""

from sftp_gateway import errors
from sftp_gateway.sftp import writing
from sftp_gateway.sftp.closing import Writing
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.view import View


def begins(homes: Homes, view: View, handle: Writing, offset: int) -> None:
    """Hear of a handle's first bytes, or of the file's; of a rival's it gets a draft of its own. Refused without room."""
    if offset == 0:
        empties(homes, view, handle)
        handle.draft.began_by = handle.session
    elif handle.refusal is not None:
        raise handle.refusal
    handle.draft.writers.add(handle.session)


def empties(homes: Homes, view: View, handle: Writing) -> None:
    """Hear that a handle begins the file anew. Refused without room, and then for ever."""
    if handle.refusal is not None:
        raise handle.refusal
    if _is_rival(handle):
        _part(homes, view, handle)


def _part(homes: Homes, view: View, handle: Writing) -> None:
    """Let a rival begin a draft of its own under the name; the other one goes on without it, as with truncation."""
    draft = handle.draft
    try:
        writing.check_room(homes, view)
    except errors.Refused as refusal:  # and so is whatever else comes: it may not go into the other's bytes
        draft.handles.discard(handle)
        handle.refusal = refusal
        raise
    writing.detach(homes, view, draft.entry)
    handle.draft = writing.begin(homes, view, handle.place, handle.by)
    draft.handles.discard(handle)
    handle.draft.handles.add(handle)


def _is_rival(handle: Writing) -> bool:
    draft, other = handle.draft, handle.draft.began_by
    if handle.bytes or other in {"", handle.session} or draft.writers != {other}:
        return False
    # A file that was renamed or lost its name meanwhile is not what this one would have the name of.
    return draft.entry.path == handle.place.path and any(
        isinstance(one, Writing) and one.session == other for one in draft.handles
    )
