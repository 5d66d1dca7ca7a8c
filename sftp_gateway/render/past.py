"""What cannot change any more of the homes this process painted: the lines of uploads that are over.

A brand may have sent ten thousand files; a paint looks at those that are under way, or ended since the last one.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping

from sftp_gateway.brand import Brand, BrandSettings

MOST_LINES = 200_000
"""Of all brands, some 50 MB; those painted longest ago are let go of first."""


class Past:
    """Printed lines by brand and upload, each of an upload at its end whose receipt is listed. Thread-safe."""

    def __init__(self, most: int = MOST_LINES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._lines: OrderedDict[str, tuple[BrandSettings, Mapping[int, bytes]]] = OrderedDict()

    def of(self, brand: Brand) -> Mapping[int, bytes]:
        """Give a brand's lines; none after its settings changed: whom to tell of an upload may be new."""
        with self._lock:
            settings, lines = self._lines.get(brand.name, (None, {}))
        return lines if settings == brand.settings else {}

    def keep(self, brand: Brand, lines: Mapping[int, bytes]) -> None:
        """Remember a brand's lines from now on."""
        with self._lock:
            self._lines[brand.name] = (brand.settings, lines)
            self._lines.move_to_end(brand.name)
            while sum(len(kept) for _, kept in self._lines.values()) > self._most:
                self._lines.popitem(last=False)

    def forget(self) -> None:
        """Look at everything once more."""
        with self._lock:
            self._lines.clear()
