"""A published version as CSV, JSON Lines or Parquet: the step a child runs, and the asking for it."""

from collections.abc import Callable
from pathlib import Path

from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.worker.crew import Crew
from sftp_gateway.worker.message import Task

STEP = "sftp_gateway.worker.export:write"
Exporter = Callable[[Path, str, Path, bool], None]
"""(a version's Parquet file, form, where to, whether it is small) → the file is there."""


def exporter(crew: Crew, schema: Callable[[], Schema]) -> Exporter:
    """Give what exports in a child of this crew, by the catalog rules in force at that moment."""

    def export(parquet: Path, form: str, out: Path, small: bool) -> None:
        crew.run(Task(STEP, (parquet, schema(), form, out), asks=False), small=small)

    return export


def write(parquet: Path, schema: Schema, form: str, out: Path) -> None:
    """Write a version in one of the forms. Runs in a child."""
    # Here and not above: who only asks for an export does without the catalog's libraries.
    from sftp_gateway.catalog import export  # noqa: PLC0415 - see above

    if form not in {"csv", "jsonl", "parquet"}:
        raise ValueError(form)
    export.write(parquet, schema, form, out)  # type: ignore[arg-type]  # looked at above
