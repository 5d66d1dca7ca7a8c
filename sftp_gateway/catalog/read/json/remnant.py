"""What can still be told of a JSON product that cannot be read: texts and numbers at its top, the key among them.

One walk over the bytes, which ends at the first place where it is not certain what stands there: what follows a
quote that was not escaped, or lies deeper than the top, is never taken for a value.
"""

import json
import re

_TEXT = rb'"(?:[^"\\]++|\\.)*+"'
_NAME = re.compile(rb"\s*+(" + _TEXT + rb")\s*+:\s*+", re.DOTALL)
_VALUE = re.compile(rb"(" + _TEXT + rb"|[^\"\\\[\]{},:\s]++)", re.DOTALL)
_NUMBER = re.compile(rb"-?(?:0|[1-9]\d*+)(?:\.\d++)?")
# A value is believed where a member follows it (perhaps cut off), or nothing: `"5" wide"` holds a stray quote.
_BEHIND = re.compile(
    rb"\s*+(?:(?P<on>,)\s*+(?:" + _TEXT + rb"\s*+:|\"[^\"]*+\Z|\Z)|\}\s*+(?:[\[\]{,]|\Z)|\Z)", re.DOTALL
)
_DEEPER = re.compile(rb"(?:[^\"\[\]{}]++|" + _TEXT + rb"(?=\s*+[,:\]}]))*+", re.DOTALL)
_STEPS = 4096
"""Members and brackets looked at: a key stands among the first."""
_LONGEST = 1024
"""No key is longer; but what our own correction file hands back under `_raw` may be."""
_RAW = "_raw"


def of(text: bytes) -> dict[str, str]:
    """Give texts and numbers by their names, but for a name that comes twice with different values."""
    found = _members(text)
    if _RAW in found and "_correction_of" in found:
        found = _members(found[_RAW].encode())
    return found


def corrects(text: bytes) -> str:
    """Give the upload that a product of our correction file names which holds no product but a text; '' if none."""
    found = _members(text) if b'"_raw"' in text else {}
    return found.get("_correction_of", "") if _RAW in found else ""


def _members(text: bytes) -> dict[str, str]:
    found: dict[str, str | None] = {}
    place, steps = (1, 0) if text[:1] == b"{" else (len(text), 0)
    while steps < _STEPS and (named := _NAME.match(text, place)):
        name, value, steps = _decoded(named[1], _LONGEST), None, steps + 1
        if text[named.end() : named.end() + 1] in (b"{", b"["):
            end, steps = _behind_brackets(text, named.end(), steps)
        elif sent := _VALUE.match(text, named.end()):
            end, value = sent.end(), _value(sent[1], None if name == _RAW else _LONGEST)
        else:
            break
        behind = _BEHIND.match(text, end) if end else None
        if behind is None:
            break
        if name is not None:
            found[name] = value if found.get(name, value) == value else None
        if behind["on"] is None:
            break
        place = behind.end("on")
    return {name: value for name, value in found.items() if value is not None}


def _behind_brackets(text: bytes, start: int, steps: int) -> tuple[int, int]:
    """Give the place behind an object or a list, 0 where that is not certain, and the steps taken."""
    depth, place = 1, start + 1
    while depth and steps < _STEPS:
        place, steps = _end_of(_DEEPER, text, place), steps + 1
        bracket = text[place : place + 1]
        if not bracket or bracket == b'"':
            return 0, steps
        depth += 1 if bracket in b"{[" else -1
        place += 1
    return (0 if depth else place), steps


def _end_of(pattern: re.Pattern[bytes], text: bytes, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place


def _value(sent: bytes, longest: int | None) -> str | None:
    if sent[:1] == b'"':
        return _decoded(sent, longest)
    return sent.decode() if len(sent) <= _LONGEST and _NUMBER.fullmatch(sent) else None


def _decoded(sent: bytes, longest: int | None) -> str | None:
    """Give the text between quotes; None where it is too long, or no text."""
    if longest is not None and len(sent) > longest:
        return None
    try:
        text = str(json.loads(sent.decode()))
        text.encode()
    except ValueError:  # no UTF-8, a control character, an escape that is none, half a surrogate pair
        return None
    return text
