"""Faults of a block on their way to findings: kept as row indices until the table is made, once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from sftp_gateway.catalog import cells, codes, findings
from sftp_gateway.catalog.types.cells import Rows
from sftp_gateway.catalog.types.typing import Fault, Texts


def severity(fault: Fault, column: str) -> str:
    """Settle a severity: the fault's own, else the code's, where the column's stands for `error`."""
    default = codes.CODES[fault.code]
    return fault.severity or (column if default == "error" else default)


def settled(fault: Fault, name: str, column_severity: str, values: Texts) -> Fault:
    """Give a fault that says whose it is, how bad, and what it shows as the value of each row."""
    return replace(fault, column=name, severity=severity(fault, column_severity), values=values)


def table(problems: Sequence[Fault], row: Rows, line: Rows | None, offset: Rows | None, keys: Any) -> pa.Table:
    """Make the findings of a block, sorted by row; within a row in the order of `problems`."""
    problems = [problem for problem in problems if len(problem.rows)]
    if not problems:
        return findings.SCHEMA.empty_table()
    index = np.concatenate([problem.rows for problem in problems])
    which = np.repeat(np.arange(len(problems)), [len(problem.rows) for problem in problems])
    order = None
    if len(problems) > 1:
        order = np.argsort(index, kind="stable")
        index, which = index[order], which[order]
    take = pa.array(which)
    columns: dict[str, Any] = {
        "row": pa.array(row[index]),
        "line": pa.nulls(len(index), pa.int64()) if line is None else pa.array(line[index]),
        "byte_offset": pa.nulls(len(index), pa.int64()) if offset is None else pa.array(offset[index]),
        "key": cells.cut(keys.take(pa.array(index))),  # findings stay small whatever a cell holds
        "value": cells.cut(_joined([_texts(p.values, len(p.rows)) for p in problems], order)),
        "suggestion": _each([p.suggestion for p in problems], problems, take, order),
        "message": _each([p.message for p in problems], problems, take, order),
    }
    for name in ("column", "code", "severity"):
        columns[name] = pa.array([getattr(p, name) for p in problems], pa.string()).take(take)
    return findings.of(columns)


def _each(texts: list[Texts], problems: Sequence[Fault], take: Any, order: Any) -> Any:
    """Give a text for each finding; where all problems have one text for all rows, they are only counted out."""
    if all(isinstance(text, str) for text in texts):
        return pa.array(texts, pa.string()).take(take)
    return _joined([_texts(text, len(p.rows)) for text, p in zip(texts, problems, strict=True)], order)


def _texts(texts: Texts, size: int) -> Any:
    if isinstance(texts, str):
        return pa.repeat(texts, size)
    return pc.fill_null(texts, "") if isinstance(texts, pa.Array) else pa.array(texts, pa.string())


def _joined(parts: list[Any], order: Any) -> Any:
    whole = pa.concat_arrays(parts) if len(parts) > 1 else parts[0]
    return whole if order is None else whole.take(pa.array(order))
