"""Whether a process is ready: the SFTP socket listens, the store answers, the disk is above its floor."""

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from sftp_gateway.errors import DiskFull, GatewayError, Unavailable
from sftp_gateway.store.database import Store

ANSWER_SECONDS = 2.0


class Health(Struct, frozen=True):
    """What is asked, on the store and by calls that may run in any thread."""

    store: Store
    sftp_listening: Callable[[], bool]
    disk_free: Callable[[], int]
    disk_floor_bytes: Callable[[], int]
    """A setting that a reload may change."""
    take_file: Callable[[], None]
    """OSError where not one file more can be made."""

    async def told(self) -> dict[str, Any]:
        """Ask all at once and tell it as JSON: `ready`, and `checks` with what is wrong, or `ok`."""
        asked = {"sftp": self._sftp, "store": self.store.ping, "disk": self._disk}
        checks = dict(zip(asked, await asyncio.gather(*map(_ask, asked.values())), strict=True))
        return {"ready": set(checks.values()) == {"ok"}, "checks": checks}

    def require_room(self, size: int) -> None:
        """See that so many bytes more leave the floor free; DiskFull."""
        if self.disk_free() - size < self.disk_floor_bytes():
            raise DiskFull("the disk is nearly full")

    def _sftp(self) -> None:
        if not self.sftp_listening():
            raise Unavailable("the SFTP socket does not listen")

    def _disk(self) -> None:
        free, floor = self.disk_free(), self.disk_floor_bytes()
        if free < floor:
            raise DiskFull(f"{free:,} bytes free, the floor is {floor:,}")
        try:
            self.take_file()
        except OSError as error:  # without its path: this is told to anybody
            raise Unavailable(f"it takes no file: {error.strerror}") from error


async def _ask(check: Callable[[], None]) -> str:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await asyncio.to_thread(check)
    except TimeoutError:
        return f"no answer within {ANSWER_SECONDS:g} s"
    except GatewayError as error:
        return error.outside
    except OSError as error:
        return error.strerror or type(error).__name__
    return "ok"
