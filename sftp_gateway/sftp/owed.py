"""Rows that were acknowledged before the store has them: nobody waits for them, and none of them is ever given up."""

from sftp_gateway.store import drafts
from sftp_gateway.store.database import Transaction
from sftp_gateway.store.drafts import Entry

MOST = 4096


class Owed:
    """Rows of different ids and paths, most of them records of a journal; an operation of the ledger."""

    def __init__(self, journal: str) -> None:
        self.entries: list[Entry] = []
        self.failures = 0
        """How often the store answered that it does not take them."""
        self._journal = journal
        self._numbers: list[int | None] = []
        self._keys: set[str | None] = set()

    def add(self, number: int | None, entry: Entry) -> bool:
        """Take a row more, unless it is one of a name or draft that is here already, or they are many.

        `number`: of its record in the journal, if it has one.
        """
        keys = {entry.id, *([f"{entry.brand}/{entry.path}"] if entry.path else [])}
        if keys & self._keys or len(self.entries) >= MOST:
            return False
        self._keys |= keys
        self.entries.append(entry)
        self._numbers.append(number)
        return True

    def __call__(self, tx: Transaction) -> list[str]:
        """Write them; gives the brands that had a change counted.

        What the store has already is left alone: a commit may have come through of which no answer came, and the
        intake may have gone on with its rows since.
        """
        seen = drafts.journaled(tx.conn, self._journal)
        missing = [
            (number, entry)
            for number, entry in zip(self._numbers, self.entries, strict=True)
            if number is None or number > seen
        ]
        drafts.save_all(tx, [entry for _, entry in missing])
        if last := max((number for number, _ in missing if number is not None), default=0):
            drafts.set_journaled(tx, self._journal, last)
        brands = sorted(drafts.living(tx, {entry.brand for _, entry in missing}))
        for brand in brands:
            tx.touch(brand)
        return brands
