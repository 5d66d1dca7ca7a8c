"""Lines at which no record begins: where each line of a file opens a quote, all would look through the same lines behind it."""

import bisect

from msgspec import Struct, field


class Lines(Struct):
    """Lines that follow one another, known to begin no record."""

    starts: list[int] = field(default_factory=list)
    behind: int = -1
    """Where the line after them starts."""

    def add(self, start: int, stop: int) -> None:
        """Tell of the line at `start`; the next one begins at `stop`."""
        if start != self.behind:
            self.starts.clear()
        self.starts.append(start)
        self.behind = stop

    def leap(self, start: int, most: int, until: int) -> tuple[int, int]:
        """Pass over known lines from the one at `start` on, at most so many, to the first behind `until`: (how many, where)."""
        if not self.starts or not self.starts[0] <= start <= self.starts[-1]:
            return 0, start
        place = bisect.bisect_left(self.starts, start)
        within = bisect.bisect_right(self.starts, until, place) - place
        place += (count := min(most, within))
        return count, self.starts[place] if place < len(self.starts) else self.behind
