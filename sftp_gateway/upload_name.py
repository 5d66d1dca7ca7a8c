"""What the name of a file says by itself: temporary, companion of another file, mode. Pure.

Paths are those of a brand's home without the leading `/`, and begin with one of `TOPS`.
"""

import fnmatch
import re
import unicodedata

from msgspec import Struct

from sftp_gateway.errors import Refused
from sftp_gateway.upload import Mode

TOPS = ("inbox", "partial", "test")
"""The directories a brand may write in; the one a file lies in is its mode (spec §2)."""

CHECKSUMS = {".sha256": "sha256", ".md5": "md5"}
UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
LONGEST_SAFE, LONGEST_ENDING = 150, 20
"""Characters of a safe name. Room is left in the 255 of a file system for the id and what else a result's name says."""
_CORRECTIONS = re.compile(r"\.[0-9]+\.corrections\b")
"""What we call correction files, after the name of the file that they correct."""
_DIGITS = {"sha256": 64, "md5": 32}


def base(path: str) -> str:
    """Give the last part of a path."""
    return path.rpartition("/")[2]


def is_plain(name: str) -> bool:
    """Whether this may be the name of a file: 1 to 255 bytes, no path, nothing that cannot be seen."""
    odd = any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or char in "/\\" for char in name)
    return not odd and bool(name.strip()) and len(name.encode("utf-8", "replace")) <= 255 and name not in {".", ".."}


def safe(name: str, longest: int = LONGEST_SAFE) -> str:
    """Make a name from outside, or one made of such a one, fit for a file of ours: `_` for unsafe characters.

    Of one that is too long the last ending stays. What is listed is found under this name, so it is made the same for ever.
    """
    made = UNSAFE.sub("_", name)
    if len(made) > longest:
        stem, dot, ending = made.rpartition(".")
        keep = dot + ending if dot and len(ending) <= LONGEST_ENDING else ""
        made = (stem if keep else made)[: longest - len(keep)] + keep
    return f"_{made.lstrip('.')}" if made.startswith(".") or not made else made


def placed(name: str, mode: str) -> str:
    """Give the path of a file that comes by another way, as if put into the directory of its mode. Refused."""
    if mode not in ("full", *TOPS[1:]):
        raise Refused("MODE", f"mode must be one of full, {', '.join(TOPS[1:])}")
    if not is_plain(name):
        raise Refused("NAME", "?name= must be a file's name: 1 to 255 bytes, without / \\ or control characters")
    return f"{TOPS[0] if mode == 'full' else mode}/{name}"


def mode(path: str, full: str = "") -> Mode:
    """Tell how a file's rows are applied; `full` is what the brand's /inbox means (empty: full)."""
    top = path.partition("/")[0]
    if top == "inbox":
        return Mode.PARTIAL if full == "partial" else Mode.FULL
    return Mode(top)


Key = tuple[str, int]
"""What orders the files of a brand: date as digits (year, month, day, and what follows), then sequence."""


def key(name: str, pattern: str) -> Key | None:
    """Read what orders a brand's files out of a name by its `name_pattern`, which matches it whole; None: nothing does.

    A correction file of ours has no key: it corrects an older file, and is none.
    """
    if not pattern or _CORRECTIONS.search(name):
        return None
    match = re.fullmatch(pattern, name)
    if match is None:
        return None
    named = match.groupdict()
    date, sequence = named.get("date") or "", named.get("sequence") or ""
    digits = "".join(part.zfill(2) for part in re.findall(r"[0-9]+", date))
    if ("date" in named and not digits) or not re.fullmatch(r"[0-9]*", sequence):
        return None
    return (digits, int(sequence or 0)) if digits or sequence else None


class Temporary(Struct, frozen=True):
    """Names that are no uploads until renamed (spec §2). Case does not count.

    A prefix makes whatever lies in a directory of that name temporary too.
    """

    prefixes: tuple[str, ...]
    suffixes: tuple[str, ...]
    patterns: tuple[str, ...]

    def __contains__(self, path: str) -> bool:
        parts = path.lower().split("/")[1:]
        return (
            any(part.startswith(tuple(p.lower() for p in self.prefixes)) for part in parts)
            or path.lower().endswith(tuple(s.lower() for s in self.suffixes))
            or any(fnmatch.fnmatchcase(base(path.lower()), pattern.lower()) for pattern in self.patterns)
        )


def subject(path: str, marker: str = "") -> tuple[str, str] | None:
    """Tell which file a companion speaks of, and how: sha256, md5 or marker; None for a file proper.

    `marker` is the ending of the brand's marker files; empty: it has none.
    """
    for ending, kind in {**CHECKSUMS, **({marker: "marker"} if marker else {})}.items():
        stem = path.removesuffix(ending)
        if path.lower().endswith(ending.lower()) and base(stem):
            return path[: -len(ending)], kind
    return None


def companions(path: str, marker: str = "") -> dict[str, str]:
    """Give the paths of a file's possible companions, with what each is; case does not count, as little as in `subject`."""
    endings = {**CHECKSUMS, **({marker: "marker"} if marker else {})}
    return {
        path + written: kind
        for ending, kind in endings.items()
        for written in (ending, ending.lower(), ending.upper(), ending.title())
    }


def checksum(text: str, kind: str, name: str) -> str | None:
    """Find the checksum of `name` in what sha256sum, md5sum, openssl or a person wrote; lower-case hex.

    The line that names the file counts, of several the shortest: the others name a directory before it, or a longer
    name with a blank. Else it is the first checksum of the right length.
    """
    found = [
        (match[0].lower(), line)
        for line in text.splitlines()
        for match in [re.search(rf"(?<![0-9a-fA-F])[0-9a-fA-F]{{{_DIGITS[kind]}}}(?![0-9a-fA-F])", line)]
        if match
    ]
    alone = re.compile(rf"(?:^|[\s*/\\(\"',;:=]){re.escape(name)}(?:$|[\s)\"',;:=])")
    named = [(digest, line) for digest, line in found if alone.search(line)]
    return min(named or found[:1], key=lambda told: len(told[1]), default=(None, ""))[0]
