"""The one error for a file that stops in the middle: Incomplete while more may come, else FILE_TRUNCATED."""

from sftp_gateway import errors
from sftp_gateway.catalog.read.source import Hints


def cut_off(what: str, hints: Hints) -> errors.Refused:
    """Make the error for a packed or structured file that stops in the middle."""
    if hints.complete:
        return errors.Refused("FILE_TRUNCATED", f"The file stops in the middle: {what}.", "Make the file again.")
    return errors.Incomplete(
        "FILE_INCOMPLETE", f"The file stops in the middle: {what}.", "Finish the upload, or send it again."
    )
