"""What parent and child say to each other: a length, then a pickle that the parent reads with care."""

import io
import pickle
import struct
from typing import Any

from msgspec import Struct

from sftp_gateway import errors
from sftp_gateway.errors import Broken, GatewayError

HEAD = struct.Struct("!I")
LONGEST_BYTES = 64 << 20

ALLOWED = frozenset(
    {("builtins", "set"), ("builtins", "frozenset"), ("pathlib", "PosixPath"), ("decimal", "Decimal")}
    | {("datetime", name) for name in ("datetime", "date", "timedelta", "timezone")}
    | {("sftp_gateway.upload", name) for name in ("State", "Mode")}
    | {("sftp_gateway.catalog.job", name) for name in ("Outcome", "Made", "Remade")}
)
"""What a message of a child may be made of, besides plain values and our own errors."""


class Task(Struct, frozen=True):
    """A step to run: `step` is `module:function`, called with `args`, then lookup and progress if `asks`."""

    step: str
    args: tuple[Any, ...]
    asks: bool = True


def framed(message: Any) -> bytes:
    """Give the bytes of a message."""
    body = pickle.dumps(message, protocol=5)
    return HEAD.pack(len(body)) + body


def next_of(buffer: bytearray) -> tuple[str, Any] | None:
    """Take the first message of a child off the buffer; None while it is not whole. Raises Broken."""
    if len(buffer) < HEAD.size:
        return None
    [size] = HEAD.unpack_from(buffer)
    if size > LONGEST_BYTES:
        raise Broken("the child process sent a message that is too long")
    if len(buffer) < HEAD.size + size:
        return None
    body = bytes(buffer[HEAD.size : HEAD.size + size])
    del buffer[: HEAD.size + size]
    return _Careful(io.BytesIO(body)).message()


class _Careful(pickle.Unpickler):
    """Unpickles what a child sent, of which only `ALLOWED` types may be part."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything that is not on the list."""
        if module == "sftp_gateway.errors":
            found = getattr(errors, name, None)
            if isinstance(found, type) and issubclass(found, GatewayError):
                return found
        if (module, name) not in ALLOWED:
            raise Broken(f"the child process sent a {module}.{name}, which no message holds")
        return super().find_class(module, name)

    def message(self) -> tuple[str, Any]:
        """Give the kind and the value; Broken if it is no message."""
        try:
            kind, value = self.load()
        except Broken:
            raise
        except Exception as error:  # noqa: BLE001 - a pickle from outside may raise anything
            raise Broken(f"the child process sent no message: {type(error).__name__}") from None
        return str(kind), value
