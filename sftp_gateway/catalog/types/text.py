"""Text: kept as sent, but for control characters; damage by spreadsheets and wrong encodings is named."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types import numbers
from sftp_gateway.catalog.types.cells import Cells, matches, table, with_nulls
from sftp_gateway.catalog.types.typing import Fault, Reading, Texts, told

_STRAY = r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]"
# what UTF-8 looks like when it was read as cp1252 once too often: Ã©, â€™, Â°, and the replacement character
_CP1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_MOJIBAKE = rf"Ã[\x{{80}}-\x{{bf}}{_CP1252}]|â[€‚][\x{{80}}-\x{{bf}}{_CP1252}]|Â[\x{{a0}}-\x{{bf}}]|\x{{fffd}}"
# Excel writes two digits at least after the sign; `2E10` without one may be an article number
_SCIENTIFIC = r"^\s*[0-9](?:[.,][0-9]+)?E\+[0-9]{2,3}\s*$"
_MANY = 1000
NUL = "has a character that cannot be printed (a control character)", "delete it, or type the value again"
"""What is said of a cell with one, and what to do."""
_DOUBTFUL = table(b"\x82\x83\xa2")


def read(cells: Cells, *, key: bool = False, identifier: bool = False) -> Reading:
    """Type a column as string; keys are trimmed and composed (NFC)."""
    cells = cells.trimmed if key else cells
    values = cells.nulled
    values, faults = without_controls(cells, values, key=key)
    if cells.highest >= 0x80:
        faults += mojibake(cells, values)
        values = pc.utf8_normalize(values, form="NFC") if key else values
    if (identifier or key) and cells.has(b"+"):
        damaged = matches(values, _SCIENTIFIC)
        faults += numbers.scientific_faults(damaged)
        values = with_nulls(values, ~damaged)
    return Reading(values, faults)


def without_controls(cells: Cells, values: Any, *, key: bool = False) -> tuple[Any, list[Fault]]:
    """Take control characters out (one warning a cell); NUL, and any of them in a key, is an error."""
    if not _has_controls(cells):
        return values, []
    fatal = matches(values, _STRAY + "|\\x00" if key else r"\x00")
    stray = matches(values, _STRAY) & ~fatal
    text = "had characters that cannot be printed (control characters); they were left out"
    faults = told("FIELD_CONTROL_CHAR", fatal, *NUL, severity="error")
    faults += told("FIELD_CONTROL_CHAR", stray, text, "remove them from the source", severity="warning")
    values = with_nulls(values, ~fatal)
    return pc.replace_substring_regex(values, _STRAY, "") if stray.any() else values, faults


def _has_controls(cells: Cells) -> bool:
    """Whether there is a control character but tab, CR and LF."""
    if cells.has(b"\x7f"):
        return True
    if cells.lowest >= 0x20:
        return False
    low = cells.octets[np.flatnonzero(cells.octets < 0x20)]
    return bool((~np.isin(low, (0x09, 0x0A, 0x0D))).any())


def mojibake(cells: Cells, values: Any) -> list[Fault]:
    """Warn of letters that come from reading UTF-8 as cp1252; never repair them."""
    data = cells.octets
    # Ã, â and Â are C3 83, C3 A2 and C3 82, and another letter that is not ASCII follows them
    at = np.flatnonzero(data[:-2] == 0xC3)
    doubtful = _DOUBTFUL[data[at + 1]] & (data[at + 2] >= 0xC2)
    if not doubtful.any() and not (data == 0xEF).any():
        return []
    rows = np.flatnonzero(matches(values, _MOJIBAKE))
    if not rows.size:
        return []
    hint: Texts = "save the file as UTF-8 in the program that made it"
    if rows.size <= _MANY:
        hint = [_repaired(text) or str(hint) for text in values.take(pa.array(rows)).to_pylist()]
    text = "has letters broken by a wrong encoding; it was kept as sent"
    return [Fault("FIELD_MOJIBAKE", rows, text, hint)]


def _repaired(text: str) -> str:
    """Offer what was probably meant, or ''."""
    try:
        meant = b"".join(_byte(letter) for letter in text).decode()
    except (UnicodeDecodeError, UnicodeEncodeError):
        return ""
    return f"perhaps {meant[:100]!r}; save the file as UTF-8 in the program that made it"


def _byte(letter: str) -> bytes:
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")
