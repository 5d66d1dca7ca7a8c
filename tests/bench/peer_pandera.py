"""A checking peer: pandera on polars, the rules of the shipped catalog as far as a schema of it says them.

Usage: python tests/bench/peer_pandera.py FILE.csv OUT_DIR. Reads, checks lazily (all failures), writes the failure cases.
"""

import sys
from pathlib import Path

import pandera.polars as pa
import polars as pl

CURRENCIES = ["EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "JPY", "CNY", "CAD", "AUD"]
LINK = r"^https?://\S+"


def text(most: int, *, nullable: bool = True) -> pa.Column:
    """Give a text column of bounded length."""
    return pa.Column(pl.String, pa.Check.str_length(max_value=most), nullable=nullable)


SCHEMA = pa.DataFrameSchema(
    {
        "sku": pa.Column(pl.String, pa.Check.str_length(1, 64), unique=True),
        "name": text(255, nullable=False),
        "msrp": pa.Column(pl.Float64, pa.Check.ge(0)),
        "brand": text(255),
        "cost": pa.Column(pl.Float64, pa.Check.gt(0), nullable=True),
        "currency": pa.Column(pl.String, pa.Check.isin(CURRENCIES), nullable=True),
        "images": pa.Column(pl.String, pa.Check.str_matches(LINK), nullable=True),
        "description": text(20000),
        "gtin": pa.Column(pl.String, pa.Check.str_matches(r"^(\d{8}|\d{12,14})$"), nullable=True),
        "color": text(255),
        "size": text(255),
        "categories": text(2000),
        "quantity": pa.Column(pl.Int64, pa.Check.ge(0), nullable=True),
        "product_url": pa.Column(pl.String, pa.Check.str_matches(LINK), nullable=True),
    }
)


def main() -> None:
    """Do it."""
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    frame = pl.read_csv(source, infer_schema=False, truncate_ragged_lines=True)
    typed = frame.with_columns(
        pl.col("msrp", "cost").cast(pl.Float64, strict=False), pl.col("quantity").cast(pl.Int64, strict=False)
    )
    try:
        SCHEMA.validate(typed, lazy=True)
    except pa.errors.SchemaErrors as failed:
        failed.failure_cases.write_csv(out / "failed.csv")
        print(typed.height, failed.failure_cases.height)


if __name__ == "__main__":
    main()
