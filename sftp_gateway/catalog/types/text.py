"""Text: kept as sent, but for control characters; damage by spreadsheets and wrong encodings is named."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types import numbers
from sftp_gateway.catalog.types.cells import Cells, matches, with_nulls
from sftp_gateway.catalog.types.typing import Fault, Reading, Texts

_CONTROL = np.zeros(256, dtype=np.bool_)
_CONTROL[:0x20] = True
_CONTROL[[0x09, 0x0A, 0x0D]] = False
_CONTROL[0x7F] = True
_STRAY = r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]"
# what UTF-8 looks like when it was read as cp1252 once too often: Ã©, â€™, Â°, and the replacement character
_CP1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_MOJIBAKE = rf"Ã[\x{{80}}-\x{{bf}}{_CP1252}]|â[€‚][\x{{80}}-\x{{bf}}{_CP1252}]|Â[\x{{a0}}-\x{{bf}}]|\x{{fffd}}"
# Excel writes two digits at least after the sign; `2E10` without one may be an article number
_SCIENTIFIC = r"^\s*[0-9](?:[.,][0-9]+)?E\+[0-9]{2,3}\s*$"
_MANY = 1000


def read(cells: Cells, *, key: bool = False, identifier: bool = False) -> Reading:
    """Type a column as string; keys are trimmed and composed (NFC)."""
    cells = cells.trimmed if key else cells
    values = cells.nulled
    faults: list[Fault] = []
    if cells.lowest < 0x20 or cells.has(b"\x7f"):
        values, faults = without_controls(cells, values, key=key)
    if cells.highest >= 0x80:
        faults += mojibake(cells, values)
        values = pc.utf8_normalize(values, form="NFC") if key else values
    if (identifier or key) and cells.has(b"E+"):
        damaged = matches(values, _SCIENTIFIC)
        if damaged.any():
            faults.append(numbers.scientific_fault(np.flatnonzero(damaged), "number"))
            values = with_nulls(values, ~damaged)
    return Reading(values, faults)


def without_controls(cells: Cells, values: Any, *, key: bool = False) -> tuple[Any, list[Fault]]:
    """Take control characters out (one warning a cell); NUL, and any of them in a key, is an error."""
    if not _CONTROL[cells.octets].any():
        return values, []
    fatal = matches(values, _STRAY + "|\\x00" if key else r"\x00")
    stray = matches(values, _STRAY) & ~fatal
    faults = []
    if fatal.any():
        text = "has a character that cannot be printed (a control character)"
        faults.append(Fault("FIELD_CONTROL_CHAR", np.flatnonzero(fatal), text, "delete it, or type the value again"))
        values = with_nulls(values, ~fatal)
    if stray.any():
        text = "had characters that cannot be printed (control characters); they were left out"
        fault = Fault("FIELD_CONTROL_CHAR", np.flatnonzero(stray), text, "remove them from the source", "warning")
        faults.append(fault)
        values = pc.replace_substring_regex(values, _STRAY, "")
    return values, faults


def mojibake(cells: Cells, values: Any) -> list[Fault]:
    """Warn of letters that come from reading UTF-8 as cp1252; never repair them."""
    data = cells.octets
    first, second = data[:-1], data[1:]
    hits = (first == 0xC3) & ((second == 0x83) | (second == 0xA2) | (second == 0x82))
    if not hits.any() and not cells.has(b"\xef\xbf\xbd"):
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
