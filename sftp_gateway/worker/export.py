"""A published version as CSV, JSON Lines or Parquet, asked of a child."""

from collections.abc import Callable
from pathlib import Path

from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.worker.crew import Crew
from sftp_gateway.worker.message import Task

STEP = "sftp_gateway.catalog.export:write"
Exporter = Callable[[Path, str, Path, bool], None]
"""(a version's Parquet file, form, where to, whether it is small) → the file is there."""


def exporter(crew: Crew, schema: Callable[[], Schema]) -> Exporter:
    """Give what exports in a child of this crew, by the catalog rules in force at that moment."""

    def export(parquet: Path, form: str, out: Path, small: bool) -> None:
        crew.run(Task(STEP, (parquet, schema(), form, out), asks=False), small=small)

    return export
