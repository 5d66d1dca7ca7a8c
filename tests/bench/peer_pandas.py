"""The peer: the same job as a data team would write it in pandas, straightforward and vectorised.

Usage: python tests/bench/peer_pandas.py FILE.csv OUT_DIR [PREVIOUS.parquet]. Reads the file, applies the
rules of config/catalog.toml that concern its columns, resolves duplicates, compares with the previous
version, writes the new version, the changes, an error file and the rejected rows.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

CURRENCIES = {"EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "JPY", "CNY", "CAD", "AUD"}
URL = re.compile(r"https?://\S+")


def read(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the readable rows and the findings of short rows, which pandas fills with blanks silently."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=True, na_values=[], engine="c")
    short = frame["product_url"].isna()
    ragged = pd.DataFrame({"row": frame.index[short] + 2, "column": "", "value": "", "code": "ROW_COLUMNS"})
    return frame[~short].fillna(""), ragged


def check(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give (findings, typed rows)."""
    row = frame.index.to_numpy() + 2
    findings = []

    def found(mask: pd.Series | np.ndarray, column: str, code: str) -> None:
        mask = np.asarray(mask)
        if mask.any():
            findings.append(
                pd.DataFrame(
                    {"row": row[mask], "column": column, "value": frame[column].to_numpy()[mask], "code": code}
                )
            )

    for column in frame.columns:
        frame[column] = frame[column].str.strip()
        found(frame[column].str.contains(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", regex=True), column, "FIELD_CONTROL_CHAR")
    for column in ("sku", "name", "msrp"):
        found(frame[column] == "", column, "FIELD_REQUIRED")
    for column, longest in (
        ("sku", 64),
        ("name", 255),
        ("brand", 255),
        ("description", 20000),
        ("color", 255),
        ("size", 255),
        ("categories", 2000),
    ):
        found(frame[column].str.len() > longest, column, "FIELD_LENGTH")
    msrp, cost = (pd.to_numeric(frame[c].where(frame[c] != ""), errors="coerce") for c in ("msrp", "cost"))
    found((frame["msrp"] != "") & msrp.isna(), "msrp", "FIELD_TYPE")
    found((frame["cost"] != "") & cost.isna(), "cost", "FIELD_TYPE")
    found(msrp < 0, "msrp", "FIELD_RANGE")
    found(cost <= 0, "cost", "FIELD_RANGE")
    quantity = pd.to_numeric(frame["quantity"].where(frame["quantity"] != ""), errors="coerce")
    found((frame["quantity"] != "") & (quantity.isna() | (quantity % 1 != 0)), "quantity", "FIELD_TYPE")
    found(quantity < 0, "quantity", "FIELD_RANGE")
    found(~frame["currency"].isin(CURRENCIES) & (frame["currency"] != ""), "currency", "FIELD_VALUE")
    padded = frame["gtin"].str.zfill(14)
    digits = frame["gtin"].str.fullmatch(r"\d{8}|\d{12,14}")
    numbers = pd.to_numeric(padded.where(digits), errors="coerce").fillna(0).astype("int64").to_numpy()
    total = np.zeros(len(frame), dtype="int64")
    rest = numbers // 10
    for position in range(13):
        total += (rest % 10) * (3 if position % 2 == 0 else 1)
        rest //= 10
    found((frame["gtin"] != "") & (~digits | ((-total % 10) != numbers % 10)), "gtin", "FIELD_GTIN")
    for column in ("images", "product_url"):
        found((frame[column] != "") & ~frame[column].str.match(URL), column, "FIELD_TYPE")
    found((msrp.notna() & cost.notna() & (msrp < cost)), "msrp", "FIELD_RULE")
    typed = frame.assign(
        msrp=msrp, cost=cost, quantity=quantity.astype("Int64"), gtin=padded.where(frame["gtin"] != "", "")
    )
    return (pd.concat(findings) if findings else pd.DataFrame(columns=["row", "column", "value", "code"])), typed


def changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Compare by sku: created and removed rows, and each changed field with before and after."""
    both = before.merge(after, on="sku", how="outer", suffixes=("_before", "_after"), indicator=True)
    parts = [
        pd.DataFrame({"op": op, "key": both.loc[both["_merge"] == side, "sku"]})
        for op, side in (("removed", "left_only"), ("created", "right_only"))
    ]
    same = both[both["_merge"] == "both"]
    for column in [c for c in after.columns if c != "sku"]:
        old, new = same[f"{column}_before"], same[f"{column}_after"]
        differs = ~((old == new) | (old.isna() & new.isna()))
        differs = differs.fillna(True)
        if differs.any():
            parts.append(
                pd.DataFrame(
                    {
                        "op": "updated",
                        "key": same.loc[differs, "sku"],
                        "column": column,
                        "before": old[differs].astype(str),
                        "after": new[differs].astype(str),
                    }
                )
            )
    return pd.concat(parts)


def main() -> None:
    """Do the whole job."""
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    frame, ragged = read(source)
    findings, typed = check(frame)
    findings = pd.concat([ragged, findings]).sort_values("row", kind="stable")
    rejected = set(findings.loc[findings["code"] != "FIELD_RULE", "row"])
    good = typed[~(typed.index + 2).isin(rejected)].drop_duplicates("sku", keep="last")
    findings.to_csv(out / "errors.csv", index=False, encoding="utf-8-sig", lineterminator="\r\n")
    frame[(frame.index + 2).isin(rejected)].to_csv(out / "corrections.csv", index=False)
    if len(sys.argv) > 3:
        changes(pd.read_parquet(sys.argv[3]), good).to_csv(out / "changes.csv", index=False)
    else:
        pd.DataFrame({"op": "created", "key": good["sku"]}).to_csv(out / "changes.csv", index=False)
    good.to_parquet(out / "version.parquet", compression="zstd", index=False)
    print(len(frame) + len(ragged), len(good), len(rejected))


if __name__ == "__main__":
    main()
