"""Who closed small files lately: some, or a crowd, for which syncs are gathered. Serves journal.py."""

import time
from collections import deque

CROWD = 8
"""So many different senders among the last twice as many CLOSEs are a crowd, if those came within CROWD_SECONDS."""
CROWD_SECONDS = 0.1


class Senders:
    """The senders of the last CLOSEs."""

    def __init__(self) -> None:
        self._lately: deque[tuple[float, int]] = deque(maxlen=2 * CROWD)
        self._in_a_row = 0

    def hear(self, sender: object) -> None:
        """Hear of a CLOSE."""
        own, lately = id(sender), self._lately
        self._in_a_row = self._in_a_row + 1 if lately and lately[-1][1] == own else 1
        lately.append((time.monotonic(), own))

    @property
    def is_one(self) -> bool:
        """Whether one sender alone closes files."""
        return self._in_a_row >= len(self._lately)

    def are_a_crowd(self) -> bool:
        """Whether so many close files that some always come within a moment."""
        lately = self._lately
        return (
            len(lately) == lately.maxlen
            and time.monotonic() - lately[0][0] < CROWD_SECONDS
            and len({sender for _, sender in lately}) >= CROWD
        )
