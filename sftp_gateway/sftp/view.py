"""What a brand has in its writable directories, as this process knows it: names → entries, and the room left.

The rows in the store are the truth; this is their picture in memory, so that STAT, a listing and the
OPEN of a new name cost no query. What another process does (a second door, `erase`) is noticed by
the brand's count of changes within `STALE_SECONDS`; what the intake of this process does is told.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from sftp_gateway import upload_name
from sftp_gateway.sftp.allowance import Allowance
from sftp_gateway.sftp.draft import Draft
from sftp_gateway.store.drafts import UNDER_WAY, Entry, Place

STALE_SECONDS = 1.0
DOUBT_SECONDS = 5.0
"""For so long counts may differ by changes of our own that were on their way while the store was asked."""


class View:
    """The entries of one brand.

    `live` are the drafts that are open for writing in this process, by entry id: for these the
    memory is ahead of the row. Everything is changed on the event loop only.
    """

    def __init__(self, brand: str, allowance: Allowance, clock: Callable[[], datetime]) -> None:
        self.brand = brand
        self.allowance = allowance
        self.lock = asyncio.Lock()
        self.looking: asyncio.Task[None] | None = None
        """Reads the store for all who want the picture now."""
        self.live: dict[str, Draft] = {}
        self.sessions = 0
        self.loaded = False
        self.checked_at = self._sure_at = 0.0
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._paths: dict[str, str] = {}
        self.heard = 0
        """The count of changes as far as this process knows of them."""
        self.version = 0
        """Grows with every change of the picture: what was read before it is old."""

    def fill(self, seq: int, entries: Iterable[Entry]) -> None:
        """Take over what the store says; live drafts stay as they are here."""
        kept = [draft.entry for draft in self.live.values()]
        self._entries, self._paths = {}, {}
        self.allowance.used_bytes = self.allowance.used_files = 0
        for entry in entries:
            if entry.id not in self.live:
                self._add(entry)
        for entry in kept:
            self._add(entry)
        self.heard, self.loaded = seq, True
        self.checked_at = self._sure_at = time.monotonic()

    def counted(self) -> None:
        """Note that this process committed an operation on the brand's rows."""
        self.heard += 1

    def is_stale(self) -> bool:
        """Whether it is time to ask the store for the count of changes again."""
        return not self.loaded or time.monotonic() - self.checked_at > STALE_SECONDS

    def agrees(self, seq: int, since: int) -> bool:
        """Whether the store's count is the one this picture was made from, our own changes included.

        `since` is what was heard when the store was asked: changes of our own that it counted may be heard of
        after that, and those heard of now may be younger than its answer.
        """
        now = self.checked_at = time.monotonic()
        if since == seq == self.heard:
            self._sure_at = now
        return self.loaded and since <= seq <= self.heard and now - self._sure_at < DOUBT_SECONDS

    def at(self, path: str) -> Entry | None:
        """Give what has this name now."""
        found = self._paths.get(path)
        entry = self._entries[found] if found else None
        if entry and entry.expires_at and entry.expires_at <= self._clock():
            return None
        return entry

    def get(self, id_: str) -> Entry | None:
        """Give an entry by its id, named or not."""
        return self._entries.get(id_)

    def is_directory(self, path: str) -> bool:
        """Whether a path is one of the three top directories or one the brand made."""
        if "/" not in path:
            return path in upload_name.TOPS
        entry = self.at(path)
        return entry is not None and entry.place is Place.DIRECTORY

    def below(self, path: str) -> Iterator[Entry]:
        """Give everything below a directory, at any depth."""
        start = path + "/"
        for name in [name for name in self._paths if name.startswith(start)]:
            if (entry := self.at(name)) is not None:
                yield entry

    def listing(self, path: str) -> list[Entry]:
        """Give what lies in a directory itself, sorted by name."""
        start = len(path) + 1
        inside = (entry for entry in self.below(path) if "/" not in str(entry.path)[start:])
        return sorted(inside, key=lambda entry: str(entry.path))

    def size(self, entry: Entry) -> int:
        """Give the size an entry has now."""
        draft = self.live.get(entry.id)
        return draft.size if draft else entry.bytes

    def put(self, entry: Entry) -> Entry:
        """Add an entry or change one; whatever else had its path is forgotten."""
        other = self._paths.get(entry.path) if entry.path else None
        if other and other != entry.id:
            self.drop(other)
        self.drop(entry.id)
        self._add(entry)
        if draft := self.live.get(entry.id):
            draft.entry = entry
        return entry

    def release(self, id_: str) -> None:
        """Stop to take a draft for live: from now on the size its entry says is what counts."""
        draft = self.live.pop(id_)
        entry = self._entries.get(id_)
        if entry is not None and entry.bytes != draft.size:
            self._entries[id_] = replace(entry, bytes=draft.size)

    def learn(self, changed: Iterable[Entry], gone: Iterable[str]) -> None:
        """Hear what the intake did; what is live here, or known no more, stays as it is, and so does a name that was changed here."""
        for entry in changed:
            own = self._entries.get(entry.id)
            if own is None or entry.id in self.live:
                continue
            # It told after its commit, and a session may have renamed the file, or put another in its place, between.
            path = entry.path and own.path
            if path or entry.place in UNDER_WAY:
                self.put(replace(entry, path=path))
            else:
                self.drop(entry.id)
        for id_ in gone:
            if id_ not in self.live:
                self.drop(id_)

    def _add(self, entry: Entry) -> None:
        self.version += 1
        self._entries[entry.id] = entry
        if entry.path:
            self._paths[entry.path] = entry.id
        self.allowance.used_files += 1
        self.allowance.used_bytes += self.size(entry)

    def drop(self, id_: str) -> None:
        """Forget an entry."""
        self.version += 1
        entry = self._entries.pop(id_, None)
        if entry is None:
            return
        if entry.path and self._paths.get(entry.path) == id_:
            del self._paths[entry.path]
        self.allowance.used_files -= 1
        self.allowance.used_bytes -= self.size(entry)
