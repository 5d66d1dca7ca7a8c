"""Values of typed sources (sheets, Parquet) as the text that a person sees: no exponent, no `.0`, moments in ISO."""

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sftp_gateway.catalog.read import lists

_NO_CHANCE = 3
"""So many digits that are noughts, or nines, before the last one come from reckoning."""


def of(value: Any, *, exact: bool = False) -> str:
    """Write a value as text; None is ''. `exact`: the items of a list are kept apart. UnicodeDecodeError for other bytes."""
    if exact and isinstance(value, list):
        return _list(value, exact=True)
    if isinstance(value, str):
        return value
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    return "" if value is None else str(value)


def in_sheet(value: Any) -> str:
    """Write a cell of a sheet as text: of a number's digits a spreadsheet shows 15, and not what reckoning left behind them."""
    return of(float(f"{value:.15g}") if isinstance(value, float) and value % 1 else value)


def reckoned(value: Any, *, exact: bool = False) -> str:
    """Write a value as `of` does, a double without what reckoning left behind it: 0.30000000000000004 is 0.3."""
    text = of(value, exact=exact)
    if not isinstance(value, float) or not value % 1:
        return text
    shown = in_sheet(value)
    return shown if len(text) - len(shown) > _NO_CHANCE else text


def _number(value: float) -> str:
    text = repr(float(value) + 0.0)  # no -0
    return (format(Decimal(text), "f") if "e" in text else text).removesuffix(".0")


def _moment(value: dt.datetime) -> str:
    midnight = value.time() == dt.time() and value.tzinfo is None
    return value.date().isoformat() if midnight else value.isoformat()


def _duration(value: dt.timedelta) -> str:
    seconds = int(value.total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _list(value: list[Any], *, exact: bool = False) -> str:
    if any(isinstance(item, (list, dict, tuple)) for item in value):
        return json.dumps(value, ensure_ascii=False, default=of)
    return lists.text(list(map(of, value)), exact=exact)


_WRITERS: tuple[tuple[type, Callable[[Any], str]], ...] = (  # bool is an int and datetime a date, so the order matters
    (bool, lambda value: "true" if value else "false"),
    (float, _number),
    (Decimal, lambda value: format(value, "f")),
    (dt.datetime, _moment),
    (dt.date, dt.date.isoformat),
    (dt.time, dt.time.isoformat),
    (dt.timedelta, _duration),
    (bytes, bytes.decode),
    (list, _list),
    (dict, lambda value: json.dumps(value, ensure_ascii=False, default=of)),
)
