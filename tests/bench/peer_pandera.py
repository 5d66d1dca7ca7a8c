"""A checking peer: pandera on pandas or polars, the rules of the shipped catalog as far as a schema of it says them.

Usage: python tests/bench/peer_pandera.py pandas|polars FILE.csv OUT_DIR. Reads, checks lazily (all failures), writes
the failure cases.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

CURRENCIES = ["EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "JPY", "CNY", "CAD", "AUD"]
LINK = r"^https?://\S+"


def on_polars(path: Path) -> tuple[Any, Any, Any, Any]:
    """Give the typed frame, and polars' text, decimal and integer types."""
    pl = importlib.import_module("polars")
    frame = pl.read_csv(path, infer_schema=False, truncate_ragged_lines=True)
    typed = frame.with_columns(
        pl.col("msrp", "cost").cast(pl.Float64, strict=False), pl.col("quantity").cast(pl.Int64, strict=False)
    )
    return typed, pl.String, pl.Float64, pl.Int64


def on_pandas(path: Path) -> tuple[Any, Any, Any, Any]:
    """Give the typed frame, and pandas' text, decimal and integer types."""
    sys.path.insert(0, str(Path(sys.prefix) / "pandas"))  # Makefile: where pandera finds pandas it imports it, 0.6 s
    pd = importlib.import_module("pandas")
    frame = pd.read_csv(path, dtype=str, on_bad_lines="skip")
    for name, kind in (("msrp", "float64"), ("cost", "float64"), ("quantity", "Int64")):
        numbers = pd.to_numeric(frame[name], errors="coerce")
        frame[name] = numbers.round().astype(kind) if kind == "Int64" else numbers
    return frame, str, float, "Int64"


def schema(pa: Any, kinds: tuple[Any, Any, Any]) -> Any:
    """Give the rules, as a schema of pandera's module `pa` for these three types."""
    string, decimal, integer = kinds

    def text(most: int, *, nullable: bool = True) -> Any:
        return pa.Column(string, pa.Check.str_length(max_value=most), nullable=nullable)

    return pa.DataFrameSchema(
        {
            "sku": pa.Column(string, pa.Check.str_length(1, 64), unique=True),
            "name": text(255, nullable=False),
            "msrp": pa.Column(decimal, pa.Check.ge(0)),
            "brand": text(255),
            "cost": pa.Column(decimal, pa.Check.gt(0), nullable=True),
            "currency": pa.Column(string, pa.Check.isin(CURRENCIES), nullable=True),
            "images": pa.Column(string, pa.Check.str_matches(LINK), nullable=True),
            "description": text(20000),
            "gtin": pa.Column(string, pa.Check.str_matches(r"^(\d{8}|\d{12,14})$"), nullable=True),
            "color": text(255),
            "size": text(255),
            "categories": text(2000),
            "quantity": pa.Column(integer, pa.Check.ge(0), nullable=True),
            "product_url": pa.Column(string, pa.Check.str_matches(LINK), nullable=True),
        }
    )


def main() -> None:
    """Do it."""
    engine, source, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    frame, *kinds = {"pandas": on_pandas, "polars": on_polars}[engine](source)
    pa = importlib.import_module(f"pandera.{engine}")
    try:
        schema(pa, (kinds[0], kinds[1], kinds[2])).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as failed:
        cases, path = failed.failure_cases, out / "failed.csv"
        cases.to_csv(path) if engine == "pandas" else cases.write_csv(path)
        print(len(frame), len(cases))


if __name__ == "__main__":
    main()
