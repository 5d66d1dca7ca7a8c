"""Two clients that write one name at the same time without truncation, as OpenSSH's scp does: each has a draft of its own.

No OPEN tells them from one client that sends the parts of a file over several sessions; the first bytes do. Who sends
parts writes the beginning in one session, and if in a second one (again, the first broke off) then while others are at
work. So a rival is who begins at the beginning of what one other session alone began and still writes. Serves home.py.
"""

from sftp_gateway import errors
from sftp_gateway.sftp import names, writing
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.sftp.opening import Writing
from sftp_gateway.sftp.view import View
from sftp_gateway.store.drafts import UNDER_WAY, Entry, Place

GONE = "Another session writes this file, and its name stands for something else by now; please send it again"


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


def resizes(view: View, entry: Entry, size: int) -> bool:
    """Whether a size set by name does anything: also where an empty file is emptied of which a size was declared."""
    return size != view.size(entry) or (size == 0 and entry.place in UNDER_WAY and bool(entry.declared_bytes))


def _part(homes: Homes, view: View, handle: Writing) -> None:
    """Let a rival begin a draft of its own under the name it opened; who has that one goes on without, as with truncation.

    That is the other one, or whoever came between: the other one may have lost its name, or been renamed, meanwhile.
    """
    draft, place = handle.draft, handle.by.place
    there = view.at(place.path)
    try:
        _check_name(view, place, there)
        writing.check_room(homes, view)
    except errors.Refused as refusal:  # and so is whatever else comes: it may not go into the other's bytes
        draft.handles.discard(handle)
        handle.refusal = refusal
        raise
    if there is not None and there.place in UNDER_WAY:
        writing.detach(homes, view, there)
    handle.draft = writing.begin(homes, view, handle.by)
    draft.handles.discard(handle)
    handle.draft.handles.add(handle)


def _check_name(view: View, place: names.Place, there: Entry | None) -> None:
    if (there is not None and there.place is Place.DIRECTORY) or not view.is_directory(names.parent(place.path)):
        raise errors.Refused("name_refused", GONE)


def _is_rival(handle: Writing) -> bool:
    draft, other = handle.draft, handle.draft.began_by
    if handle.bytes or draft.removed or other in {"", handle.session} or draft.writers != {other}:
        return False
    return any(one.session == other for one in draft.handles)
