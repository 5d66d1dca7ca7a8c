"""How slowly bytes may come before whoever sends them is given up. Pure: the caller has the clock.

Silence alone tells too little: a byte now and then would hold a thread, or a place of the worker, for ever.
"""

from msgspec import Struct


class Pace(Struct):
    """At least `least_bytes` are to come in every `seconds` of waiting for them; the time that we take ourselves is not counted."""

    seconds: float
    least_bytes: int
    _waited: float = 0.0
    _came: int = 0

    @property
    def left_seconds(self) -> float:
        """How long the next bytes may still be waited for; never less than 0."""
        return max(0.0, self.seconds - self._waited)

    @property
    def is_too_slow(self) -> bool:
        """Whether the time is over and too little came in it."""
        return self._waited >= self.seconds

    def came(self, size: int, waited_seconds: float) -> None:
        """Hear of bytes that came, and how long they were waited for; once they are enough all begins anew."""
        self._waited, self._came = self._waited + waited_seconds, self._came + size
        if self._came >= self.least_bytes:
            self._waited, self._came = 0.0, 0
