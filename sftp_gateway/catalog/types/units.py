"""Units of measure: their names, what they are in metres, kilograms or litres, and headers that name one."""

import re
from decimal import Decimal

from msgspec import Struct


class Unit(Struct, frozen=True):
    """A unit by its canonical name; `factor` is exact (international yard and pound, 1959; US liquid volumes)."""

    name: str
    dimension: str
    factor: Decimal


BASE = {"length": "m", "weight": "kg", "volume": "l"}
_TABLE = """
mm      length 0.001          mm millimeter millimetre millimeters millimetres
cm      length 0.01           cm centimeter centimetre centimeters centimetres zentimeter
dm      length 0.1            dm decimeter decimetre decimeters decimetres
m       length 1              m meter metre meters metres mtr
km      length 1000           km kilometer kilometre kilometers kilometres
in      length 0.0254         in in. inch inches " ″ ” '' zoll
ft      length 0.3048         ft ft. foot feet ' ′ ’
yd      length 0.9144         yd yd. yds yard yards
mg      weight 0.000001       mg milligram milligrams
g       weight 0.001          g g. gr gram grams gramm gramme grammes
kg      weight 1              kg kg. kgs kilo kilos kilogram kilograms kilogramm
t       weight 1000           t tonne tonnes
oz      weight 0.028349523125 oz oz. ozs ounce ounces
lb      weight 0.45359237     lb lb. lbs lbs. pound pounds #
ml      volume 0.001          ml milliliter millilitre milliliters millilitres
cl      volume 0.01           cl centiliter centilitre
dl      volume 0.1            dl deciliter decilitre
l       volume 1              l liter litre liters litres
fl_oz   volume 0.0295735295625 fl_oz fl.oz floz
gal     volume 3.785411784    gal gallon gallons
"""
_SPELLED = [line.split() for line in _TABLE.strip().splitlines()]
UNITS: dict[str, Unit] = {
    spelling: Unit(name.replace("_", " "), dimension, Decimal(factor))
    for name, dimension, factor, *spellings in _SPELLED
    for spelling in spellings
}
"""Every spelling, lower case → its unit."""
_BETWEEN = " \t\r\n\xa0_-([/."
_IN_HEADER = re.compile(r"[\s_\-(\[/.](?:in\s+)?([A-Za-z]+)[\s)\].]*$")


def find(spelling: str) -> Unit | None:
    """Give the unit of a spelling, or None."""
    plain = spelling.strip().lower()
    return UNITS.get(plain) or UNITS.get(plain.replace(" ", "")) or UNITS.get(plain.replace(" ", "_"))


def of_header(header: str) -> tuple[str, str]:
    """Split the unit off a header: `Weight (kg)` → (`Weight`, `kg`), `Variant Grams` → (`Variant`, `g`)."""
    found = _IN_HEADER.search(header.strip())
    unit = find(found[1]) if found else None
    return (found.string[: found.start()].rstrip(_BETWEEN), unit.name) if found and unit else (header, "")
