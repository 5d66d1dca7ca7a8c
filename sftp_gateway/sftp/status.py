"""How a client is told no: SFTP has few status codes (draft-ietf-secsh-filexfer-02 §7), so the text says what is meant."""

from typing import NoReturn

import asyncssh

from sftp_gateway import errors
from sftp_gateway.sftp import names
from sftp_gateway.sftp.view import View

MADE_BY_GATEWAY = "This is made by the gateway; files go into /inbox, /partial or /test"


def fail(refusal: errors.Refused, upload: int | None = None) -> NoReturn:
    """Say a refusal in the one of SFTP's few codes that helps most; the text says the rest."""
    if refusal.code == "not_allowed":
        raise asyncssh.SFTPPermissionDenied(text(refusal, upload)) from refusal
    raise asyncssh.SFTPFailure(text(refusal, upload)) from refusal


def text(refusal: errors.Refused, upload: int | None) -> str:
    """Say why, and under which upload it stands in the history."""
    return f"{refusal} (upload {upload})" if upload is not None else str(refusal)


def reason(refusal: errors.Refused) -> dict[str, str]:
    """Give what a row says of a refusal."""
    return {"code": refusal.code, "text": refusal.message, "suggestion": refusal.suggestion}


def check_parent(view: View, where: names.Place) -> None:
    """Raise SFTPNoSuchFile if a name's directory is not there."""
    if not view.is_directory(names.parent(where.path)):
        raise asyncssh.SFTPNoSuchFile("No such directory")


def check_writable(where: names.Place) -> None:
    """Raise Refused for what the gateway makes, and for directories."""
    if not where.writable or where.is_top:
        in_folder = where.path.partition("/")[0] in names.FOLDERS
        raise errors.Refused("not_allowed", f"/{where.path} is read-only" if in_folder else MADE_BY_GATEWAY)
