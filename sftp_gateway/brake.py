"""The brake on guessing over HTTP: who was refused too often waits. Pure bookkeeping, in memory of this process."""

import ipaddress
import threading
import time
from collections.abc import Callable

REMEMBERED_SOURCES = 10_000


class Brake:
    """Slows guessing: after `tries` refused tokens within `seconds`, a source (an IPv6 one: its /64) waits."""

    def __init__(self, tries: int = 10, seconds: float = 60, clock: Callable[[], float] = time.monotonic) -> None:
        self.tries, self.seconds, self.clock = tries, seconds, clock
        self._refused: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def waits(self, source: str) -> int:
        """Tell how many whole seconds this source must still wait; 0 if it may ask."""
        count, until = self._refused.get(_network(source), (0, 0.0))
        left = until - self.clock()
        return int(left) + 1 if count >= self.tries and left > 0 else 0

    def refused(self, source: str) -> None:
        """Count one refused token."""
        now, source = self.clock(), _network(source)
        with self._lock:
            count, until = self._refused.pop(source, (0, 0.0))
            self._refused[source] = (count + 1, until) if until > now else (1, now + self.seconds)
            if len(self._refused) > REMEMBERED_SOURCES:  # many addresses cost an attacker's time, not our memory
                del self._refused[next(iter(self._refused))]


def _network(source: str) -> str:
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else source
