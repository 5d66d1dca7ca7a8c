"""Numbers with a unit, as people write them (spec §13): `512 MiB`, `20 s`. For settings of the gateway and of brands."""

import re
from collections.abc import Mapping

from msgspec import Struct

_WRITTEN = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*")


class Kind(Struct, frozen=True):
    """What is counted: the units it may be given in, in lower case and singular, and an example for complaints."""

    units: Mapping[str, float]
    example: str

    def read(self, text: str) -> float:
        """Give the number in the smallest whole unit, such as bytes or seconds; ValueError says what is wrong."""
        match = _WRITTEN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not {self.example}")
        unit = match[2].lower()
        unit = unit if unit in self.units else unit.removesuffix("s")
        if unit not in self.units:
            raise ValueError(f"{match[2]!r} is no unit known here; give {self.example}")
        return float(match[1]) * self.units[unit]


NUMBER = Kind({"": 1}, "a number")
SIZE = Kind(
    {
        "": 1,
        "b": 1,
        "kb": 10**3,
        "mb": 10**6,
        "gb": 10**9,
        "tb": 10**12,
        "kib": 2**10,
        "mib": 2**20,
        "gib": 2**30,
        "tib": 2**40,
    },
    'a size such as "512 MiB"',
)
TIME = Kind(
    {
        "": 1.0,
        "ms": 0.001,
        "s": 1.0,
        "sec": 1.0,
        "second": 1.0,
        "min": 60.0,
        "minute": 60.0,
        "h": 3600.0,
        "hour": 3600.0,
        "d": 86400.0,
        "day": 86400.0,
        "week": 604800.0,
    },
    'a time such as "20 s"',
)
