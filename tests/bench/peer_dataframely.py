"""A checking peer: dataframely, the rules of the shipped catalog as far as a schema of it says them.

Usage: python tests/bench/peer_dataframely.py FILE.csv OUT_DIR. Reads, checks, writes the rows that fail and how often each rule did.
"""

import json
import sys
from pathlib import Path

import dataframely as dy
import polars as pl

CURRENCIES = ["EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "JPY", "CNY", "CAD", "AUD"]


class Product(dy.Schema):
    """A row of the feed."""

    sku = dy.String(primary_key=True, min_length=1, max_length=64)
    name = dy.String(min_length=1, max_length=255)
    msrp = dy.Decimal(18, 4, min=0)
    brand = dy.String(nullable=True, max_length=255)
    cost = dy.Decimal(18, 4, nullable=True, min_exclusive=0)
    currency = dy.String(nullable=True, check=lambda values: values.is_in(CURRENCIES))
    images = dy.String(nullable=True, regex=r"^https?://\S+")
    description = dy.String(nullable=True, max_length=20000)
    gtin = dy.String(nullable=True, regex=r"^(\d{8}|\d{12,14})$")
    color = dy.String(nullable=True, max_length=255)
    size = dy.String(nullable=True, max_length=255)
    categories = dy.String(nullable=True, max_length=2000)
    quantity = dy.Int64(nullable=True, min=0)
    product_url = dy.String(nullable=True, regex=r"^https?://\S+")

    @dy.rule()
    def sells_at_a_gain(cls) -> pl.Expr:  # noqa: N805 - the library passes the schema
        """Hold the price above what it costs."""
        return pl.col("msrp") >= pl.col("cost")

    @dy.rule()
    def check_digit(cls) -> pl.Expr:  # noqa: N805 - the library passes the schema
        """Hold the check digit of a GTIN."""
        padded = pl.col("gtin").str.zfill(14)
        digits = [padded.str.slice(place, 1).cast(pl.Int32, strict=False) for place in range(14)]
        return pl.sum_horizontal(d * (3 if place % 2 == 0 else 1) for place, d in enumerate(digits)) % 10 == 0


def main() -> None:
    """Do it."""
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    frame = pl.read_csv(source, infer_schema=False, truncate_ragged_lines=True)
    good, failed = Product.filter(frame, cast=True)
    failed.invalid().write_csv(out / "failed.csv")
    (out / "counts.json").write_text(json.dumps(failed.counts()))
    print(good.height, len(failed))


if __name__ == "__main__":
    main()
