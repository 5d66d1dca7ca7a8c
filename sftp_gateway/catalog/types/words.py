"""Values from a short list: booleans, currencies, countries, enums; a wrong one is told its nearest."""

import difflib
import functools
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sftp_gateway.catalog.types import isocodes
from sftp_gateway.catalog.types.cells import Cells, mask, once_each, with_nulls
from sftp_gateway.catalog.types.typing import Fault, Reading, told

_TRUE = "true yes y t 1 on 1.0 wahr ja vrai oui sí si sì verdadero vero waar sant sim verdadeiro prawda tak".split()  # noqa: SIM905 - read as a sentence
_TRUE += "igen kyllä evet да так 是 はい".split()  # noqa: SIM905
_FALSE = "false no n f 0 off 0.0 falsch nein faux non falso onwaar nee falskt nej nei não nao fałsz nie".split()  # noqa: SIM905
_FALSE += "nem ei hayır hayir нет ні 否 いいえ".split()  # noqa: SIM905
_BOOLEANS = pa.array([*_TRUE, *_FALSE], pa.string())
_CURRENCIES = pa.array(sorted(isocodes.CURRENCIES))
_COUNTRIES = pa.array(sorted(isocodes.COUNTRIES))
_MEANING = pa.array([True] * len(_TRUE) + [False] * len(_FALSE))

_MINUS_ONE = "write true or false: to some shops -1 is a draft (false), to some databases it is yes (true)"


def read_boolean(cells: Cells) -> Reading:
    """Type a column as bool: true/false, yes/no, 1/0, also as spreadsheets of other languages write them."""
    cells = cells.trimmed
    values = cells.nulled
    lower = pc.ascii_lower(values) if cells.highest < 0x80 else pc.utf8_normalize(pc.utf8_lower(values), form="NFC")
    found = pc.index_in(lower, value_set=_BOOLEANS)
    bad = cells.filled & ~mask(pc.is_valid(found))
    return Reading(_MEANING.take(found), told("FIELD_TYPE", bad, "is neither true nor false", _true_or_false, values))


def _true_or_false(values: Any) -> Any:
    return pc.if_else(pc.equal(values, "-1"), _MINUS_ONE, "write true or false")


def read_currency(cells: Cells) -> Reading:
    """Type a column as ISO 4217 code."""
    return _read_code(cells, _CURRENCIES, "a currency code (ISO 4217)", _near_currency)


def read_country(cells: Cells) -> Reading:
    """Type a column as ISO 3166-1 alpha-2 code."""
    return _read_code(cells, _COUNTRIES, "a country code (ISO 3166, two letters)", _near_country)


def _read_code(cells: Cells, codes: Any, what: str, near: Callable[[str], str]) -> Reading:
    cells = cells.trimmed
    values = pc.ascii_upper(cells.nulled)
    bad = cells.filled & ~mask(pc.is_in(values, value_set=codes))
    faults = told("FIELD_VALUE", bad, f"is not {what}", lambda wrong: by_value(wrong, near), values)
    return Reading(with_nulls(values, ~bad), faults)


def _near_currency(text: str) -> str:
    meant = sorted(isocodes.SIGNS.get(text, ()))
    if len(meant) == 1:
        return f"write {meant[0]}"
    # no other guess: amounts in a currency that is only spelled alike are other amounts
    code = text[:3] if len(text) == 4 and text[:3] in isocodes.CURRENCIES else isocodes.CURRENCY_NAMES.get(text)
    return f"did you mean {code}?" if code else "write a code like USD or EUR"


def _near_country(text: str) -> str:
    code = isocodes.COUNTRY_NAMES.get(text)
    return f"write {code}" if code else "write a code like US or DE"


def outside(values: Any, allowed: tuple[str, ...]) -> list[Fault]:
    """Tell the values that are not among those allowed, each with its nearest."""
    bad = mask(pc.is_valid(values)) & ~mask(pc.is_in(values, value_set=pa.array(allowed, values.type)))
    shown = ", ".join(allowed[:12]) + (", …" if len(allowed) > 12 else "")
    near = functools.partial(_nearest, allowed)
    return told(
        "FIELD_VALUE", bad, f"is not one of the allowed values: {shown}", lambda wrong: by_value(wrong, near), values
    )


def _nearest(allowed: Iterable[str], text: str) -> str:
    """Give a did-you-mean for a value, first of all the same in another case."""
    folded = {value.casefold().strip(): value for value in allowed}
    close = difflib.get_close_matches(text.casefold().strip(), list(folded), n=1, cutoff=0.6)
    return f"did you mean {folded[close[0]]}?" if close else ""


def by_value(values: Any, suggest: Callable[[str], str]) -> Any:
    """Make suggestions once for each different value; beyond 1,000 different ones no guesses are made."""
    return "" if pc.count_distinct(values).as_py() > 1000 else once_each(values, suggest, pa.string())
