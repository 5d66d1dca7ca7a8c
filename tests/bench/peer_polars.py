"""The faster peer: the same job in polars, its streaming engine, every core.

Usage: python tests/bench/peer_polars.py FILE.csv OUT_DIR [PREVIOUS.parquet]. As peer_pandas.py: reads, applies the
rules, resolves duplicates, compares with the previous version, writes version, changes, error file, rejected rows.
"""

import sys
from pathlib import Path

import polars as pl

CURRENCIES = ["EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "JPY", "CNY", "CAD", "AUD"]
LONGEST = {"sku": 64, "name": 255, "brand": 255, "description": 20000, "color": 255, "size": 255, "categories": 2000}


def number(column: str) -> pl.Expr:
    """Give a money column as an exact decimal, null where it is none."""
    return pl.col(column).cast(pl.Decimal(18, 4), strict=False)


def check_digit_fails() -> pl.Expr:
    """Say whether the check digit of a GTIN is wrong."""
    padded = pl.col("gtin").str.zfill(14)
    digits = [padded.str.slice(place, 1).cast(pl.Int32, strict=False) for place in range(14)]
    total = pl.sum_horizontal(digit * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits))
    return ~pl.col("gtin").str.contains(r"^(\d{8}|\d{12,14})$") | (total % 10 != 0)


def rules(columns: list[str]) -> dict[tuple[str, str], pl.Expr]:
    """Give (column, code) → whether a row breaks the rule."""
    found = {
        (name, "FIELD_CONTROL_CHAR"): pl.col(name).str.contains(r"[\x00-\x08\x0b\x0c\x0e-\x1f]") for name in columns
    }
    found |= {(name, "FIELD_REQUIRED"): pl.col(name) == "" for name in ("sku", "name", "msrp")}
    found |= {(name, "FIELD_LENGTH"): pl.col(name).str.len_chars() > most for name, most in LONGEST.items()}
    found |= {(name, "FIELD_TYPE"): (pl.col(name) != "") & number(name).is_null() for name in ("msrp", "cost")}
    quantity = pl.col("quantity").cast(pl.Int64, strict=False)
    return found | {
        ("msrp", "FIELD_RANGE"): number("msrp") < 0,
        ("cost", "FIELD_RANGE"): number("cost") <= 0,
        ("quantity", "FIELD_TYPE"): (pl.col("quantity") != "") & quantity.is_null(),
        ("quantity", "FIELD_RANGE"): quantity < 0,
        ("currency", "FIELD_VALUE"): (pl.col("currency") != "") & ~pl.col("currency").is_in(CURRENCIES),
        ("gtin", "FIELD_GTIN"): (pl.col("gtin") != "") & check_digit_fails(),
        ("images", "FIELD_TYPE"): (pl.col("images") != "") & ~pl.col("images").str.contains(r"^https?://\S+"),
        ("product_url", "FIELD_TYPE"): (pl.col("product_url") != "")
        & ~pl.col("product_url").str.contains(r"^https?://\S+"),
        ("msrp", "FIELD_RULE"): number("msrp") < number("cost"),
    }


def check(path: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Give good rows, findings, and rejected rows."""
    lazy = pl.scan_csv(path, infer_schema=False, truncate_ragged_lines=True, row_index_name="row", row_index_offset=2)
    columns = [name for name in lazy.collect_schema().names() if name != "row"]
    lazy = lazy.with_columns(pl.col("product_url").is_null().alias("short"))
    lazy = lazy.with_columns(pl.col(columns).fill_null("").str.strip_chars())
    checks = rules(columns)
    marks = [
        (test & ~pl.col("short")).fill_null(False).alias(f"{name}|{code}") for (name, code), test in checks.items()
    ]
    frame = lazy.with_columns(marks).collect(engine="streaming")
    findings = [frame.filter("short").select("row", column=pl.lit(""), value=pl.lit(""), code=pl.lit("ROW_COLUMNS"))]
    for name, code in checks:
        broken = frame.filter(pl.col(f"{name}|{code}"))
        if broken.height:
            findings.append(broken.select("row", column=pl.lit(name), value=pl.col(name), code=pl.lit(code)))
    bad = pl.any_horizontal("short", *(f"{name}|{code}" for name, code in checks if code != "FIELD_RULE"))
    rejected = frame.filter(bad).select("row", *columns)
    typed = [number("msrp"), number("cost"), pl.col("quantity").cast(pl.Int64, strict=False)]
    good = frame.filter(~bad).select(columns).with_columns(*typed, pl.col("gtin").str.zfill(14))
    return good.unique("sku", keep="last", maintain_order=True), pl.concat(findings).sort("row"), rejected


def changes(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Compare by sku and a hash of each row; created and removed rows, and each changed field with before and after."""
    names = [name for name in after.columns if name != "sku"]
    old, new = (side.select("sku", pl.struct(names).hash().alias("h")) for side in (before, after))
    parts = [
        left.join(right, on="sku", how="anti").select(op=pl.lit(op), key="sku")
        for op, left, right in (("removed", old, new), ("created", new, old))
    ]
    keys = new.join(old, on="sku", suffix="_old").filter(pl.col("h") != pl.col("h_old")).select("sku")
    both = after.join(keys, on="sku", how="semi").join(before.join(keys, on="sku", how="semi"), on="sku", suffix="_old")
    for name in names:
        differs = both.filter(pl.col(name).ne_missing(pl.col(f"{name}_old")))
        values = {"before": pl.col(f"{name}_old").cast(pl.String), "after": pl.col(name).cast(pl.String)}
        if differs.height:
            parts.append(differs.select(op=pl.lit("updated"), key="sku", column=pl.lit(name), **values))
    return pl.concat(parts, how="diagonal")


def main() -> None:
    """Do the whole job."""
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    good, findings, rejected = check(source)
    findings.write_csv(out / "errors.csv", include_bom=True, line_terminator="\r\n")
    rejected.write_csv(out / "corrections.csv")
    if len(sys.argv) > 3:
        changes(pl.read_parquet(sys.argv[3]), good).write_csv(out / "changes.csv")
    else:
        good.select(op=pl.lit("created"), key="sku").write_csv(out / "changes.csv")
    good.write_parquet(out / "version.parquet", compression="zstd", compression_level=1)
    print(good.height, rejected.height)


if __name__ == "__main__":
    main()
