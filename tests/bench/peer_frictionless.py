"""A checking peer: frictionless, the rules of the shipped catalog as far as a Table Schema says them.

Usage: python tests/bench/peer_frictionless.py FILE.csv OUT_DIR. Reads, checks, writes its report.
"""

import sys
from pathlib import Path

from frictionless import Checklist, Resource, Schema, system

LINK = r"^https?://\S+"
LONGEST = {"brand": 255, "description": 20000, "color": 255, "size": 255, "categories": 2000}


def main() -> None:
    """Do it."""
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    fields = [
        {"name": "sku", "type": "string", "constraints": {"required": True, "unique": True, "maxLength": 64}},
        {"name": "name", "type": "string", "constraints": {"required": True, "maxLength": 255}},
        {"name": "msrp", "type": "number", "constraints": {"required": True, "minimum": 0}},
        {"name": "cost", "type": "number", "constraints": {"minimum": 0}},
        {"name": "currency", "type": "string", "constraints": {"enum": ["EUR", "USD", "GBP", "CHF", "SEK", "JPY"]}},
        {"name": "gtin", "type": "string", "constraints": {"pattern": r"^(\d{8}|\d{12,14})$"}},
        {"name": "images", "type": "string", "constraints": {"pattern": LINK}},
        {"name": "quantity", "type": "integer", "constraints": {"minimum": 0}},
        {"name": "product_url", "type": "string", "constraints": {"pattern": LINK}},
    ]
    fields += [{"name": name, "type": "string", "constraints": {"maxLength": most}} for name, most in LONGEST.items()]
    header = source.open(encoding="utf-8").readline().strip().split(",")
    schema = Schema.from_descriptor({"fields": sorted(fields, key=lambda field: header.index(field["name"]))})
    with system.use_context(trusted=True):
        report = Resource(path=str(source), schema=schema).validate(Checklist(), limit_errors=1_000_000)
    report.to_json(str(out / "report.json"))
    print(report.stats)


if __name__ == "__main__":
    main()
