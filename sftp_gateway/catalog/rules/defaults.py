"""A column's constant default, read and judged as a cell with that text would be. Serves schema, once for each default."""

import pyarrow as pa

from sftp_gateway.catalog.rules import limits
from sftp_gateway.catalog.rules.column import Column
from sftp_gateway.catalog.types import reading
from sftp_gateway.catalog.types.cells import Cells
from sftp_gateway.catalog.types.typing import Dialect
from sftp_gateway.errors import ConfigError


def typed(column: Column, where: str) -> str:
    """Give the default as text that its column takes over; ConfigError with what would be wrong with such a cell."""
    text = str(column.default)
    found = reading.read(Cells(pa.array([text], pa.string())), column, Dialect("."))
    for fault in (*found.faults, *limits.broken(column, found.values)):
        message = fault.message if isinstance(fault.message, str) else str(fault.message[0])
        raise ConfigError(f"{where}: {text!r} {message}")
    value = found.values[0].as_py()
    return str(value) if isinstance(value, (str, int)) else text
