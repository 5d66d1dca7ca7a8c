"""Path bytes from a client → a path in the brand's home, as text; refuses what could mislead a reader.

A name is data: it is stored and shown, never a path on disk. `/` and `/inbox/` are one directory.
"""

import unicodedata

from msgspec import Struct

from sftp_gateway import errors, upload_name

LONGEST_NAME_BYTES = 255
LONGEST_PATH_BYTES = 4096
DEEPEST = 32
_TOO_LONG = "This path is too long or too deep"

FOLDERS = ("errors", "receipts", "catalog")
TOP_FILES = ("history.csv", "README.txt", "template.csv")
TOP_DIRECTORIES = frozenset({*upload_name.TOPS, *FOLDERS})
VIRTUAL = frozenset({*TOP_DIRECTORIES, *TOP_FILES})
"""Names at the top that are the gateway's own."""

# Marks that make a terminal or a page show another name than is there, or break its line.
_MISLEADING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff")


class Place(Struct, frozen=True):
    """Where a client's path leads.

    `shown` is the path as the client sees it (absolute, clean); `path` the same without the leading
    `/`, with what lies in `/` put into `inbox`, empty for `/` itself. `writable`: in the brand's own
    directories.
    """

    shown: str
    path: str
    writable: bool

    @property
    def sent(self) -> str:
        """The path as sent, without the leading `/` (spec §8 `file.name`)."""
        return self.shown[1:]

    @property
    def is_top(self) -> bool:
        """Whether it is `/` or a directory in it, which all are the gateway's own."""
        return not self.path or self.path in TOP_DIRECTORIES


def text(raw: bytes) -> str:
    """Read the bytes of one name: UTF-8, else all of it as cp1252 (latin-1 with the Euro sign)."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def place(raw: bytes) -> Place:
    """Find the place of a path; `..` is clamped at the top. Raises Refused (`name_refused`)."""
    parts: list[bytes] = []
    for part in raw.split(b"/"):
        if part == b"..":
            parts[-1:] = []
        elif part not in {b"", b"."}:
            parts.append(part)
    if len(raw) > LONGEST_PATH_BYTES or len(parts) > DEEPEST:
        raise errors.Refused("name_refused", _TOO_LONG)
    names = [_checked(part) for part in parts]
    shown = "/" + "/".join(names)
    if not fits(shown):
        raise errors.Refused("name_refused", _TOO_LONG)
    if not names:
        return Place(shown, "", writable=False)
    if names[0] not in VIRTUAL:
        names = ["inbox", *names]
    return Place(shown, "/".join(names), writable=names[0] in upload_name.TOPS)


def fits(shown: str) -> bool:
    """Whether a clean path could be asked for again as it is shown: in UTF-8 it may be longer than it was sent."""
    return len(shown.encode()) <= LONGEST_PATH_BYTES and shown.count("/") <= DEEPEST


def _checked(part: bytes) -> str:
    name = text(part)
    if name.isascii() and name.isprintable() and len(part) <= LONGEST_NAME_BYTES:  # nearly all are
        return name
    size = max(len(part), len(name.encode()))
    if size > LONGEST_NAME_BYTES:
        raise errors.Refused("name_refused", f"A name may have {LONGEST_NAME_BYTES} bytes, this one has {size}")
    # None of these is printable, and hardly any name has something that is not.
    if not name.isprintable() and any(unicodedata.category(char) == "Cc" or char in _MISLEADING for char in name):
        raise errors.Refused("name_refused", "The name has a control character (line break, NUL, direction mark …)")
    if "\ufffd" in name:
        raise errors.Refused("name_refused", "The name is neither UTF-8 nor cp1252 text")
    return name


def printable(raw: bytes) -> str:
    """Show a refused path in the history: what cannot be shown is escaped, the end cut."""
    name = text(raw[:LONGEST_NAME_BYTES])
    return "".join(
        char if unicodedata.category(char) != "Cc" and char not in _MISLEADING else f"\\x{ord(char):02x}"
        for char in name
    )


def parent(path: str) -> str:
    """Give the directory a path lies in."""
    return path.rpartition("/")[0]
