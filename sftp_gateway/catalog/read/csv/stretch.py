"""A stretch of text on its way to a block: its records, what became of each, and what is said of it."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct, field
from msgspec.structs import replace

from sftp_gateway.catalog.findings import Finding
from sftp_gateway.catalog.read import bounds
from sftp_gateway.catalog.read.csv import doubt, mending, returned
from sftp_gateway.catalog.read.csv.careful import Text
from sftp_gateway.catalog.read.csv.profile import Profile
from sftp_gateway.catalog.read.csv.records import Records
from sftp_gateway.catalog.read.rejects import UNASKED, Reject
from sftp_gateway.catalog.read.source import Hints, Marks, Sieve
from sftp_gateway.catalog.read.text.encoding import Recoded

CLEAN, REPAIRED, REJECT, BLANK, SKIPPED, KNOWN = range(6)
"""`KNOWN`: clean, and kept back by the sieve."""
Kinds = npt.NDArray[np.int8]


class Place(Struct):
    """Where in the file a stretch begins: records, physical lines and source bytes before it."""

    row: int = 0
    line: int = 0
    offset: int = 0


class Stretch(Struct):
    """One stretch of text on its way to a block."""

    text: Text
    recoded: Recoded
    records: Records
    place: Place
    header: tuple[bytes, ...]
    """The records of the header: one met again is skipped."""
    spare: int = 0
    """How many of the last columns have no name: a row may lack them."""
    profile: Profile = field(default_factory=Profile)
    """What a row must look like that was mended."""
    hints: Hints = Hints()
    clean: bool = False
    """Known to be UTF-8 throughout."""
    layout: returned.Layout | None = None
    """Of a correction file: which columns are ours. People do not count them."""
    sieve: Sieve | None = None
    marks: Marks | None = None
    """Of every record, if there is a sieve."""
    places: npt.NDArray[np.int64] | None = None
    """Where the rows of records are known, -1 where they are not."""
    kinds: Kinds = field(default_factory=lambda: np.zeros(0, np.int8))
    told: dict[int, Reject] = field(default_factory=dict)
    """What is said of a record that is rejected or repaired, and its cells; nothing is of a ragged one that was told at once (`ragged`)."""
    columns: list[pa.Array] = field(default_factory=list)
    parsed: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Which records `columns` hold, in order."""

    reshaped: set[int] = field(default_factory=set)
    """Repaired records whose bytes do not have the header's columns."""
    shuffled: list[int] = field(default_factory=list)
    """Records that are the header in another order, or with other names in it: those of another table."""
    corrects: set[str] = field(default_factory=set)
    """The uploads that rejected records of a correction name."""

    def bytes_of(self, index: int) -> bytes:
        """Record `index` in UTF-8, without its line end."""
        return self.text.data[int(self.records.start[index]) : int(self.records.end[index])]

    def cells_of(self, index: int) -> list[bytes] | None:
        """Give the cells of record `index`, None if it does not obey the rules."""
        return self.text.dialect.cells(self.bytes_of(index))

    def ends_with_marks(self) -> bool:
        """Whether the last record of the file is nothing but marks that the file ends here."""
        return self.text.final and len(self.kinds) > 0 and bounds.is_end_mark(self.bytes_of(-1))

    def give_up(self, index: int, code: str, message: str, suggestion: str = "") -> None:
        """Reject a record; of its cells those before the damage are kept."""
        self.reject_beginning(index, Finding(code, message, suggestion))
        cells = self.cells_of(index)
        if cells is not None and len(cells) != self.text.width:
            self.told[index] = replace(self.told[index], sure=self.sure_of(cells))

    def reject_beginning(self, index: int, finding: Finding) -> None:
        """Reject a record of which all cells before the damage are believed."""
        cells = doubt.before_damage(self.bytes_of(index), self.text.dialect, self.profile)[: bounds.MAX_COLUMNS]
        self._reject(index, Reject(finding, b"", self._sent(tuple(cell.decode(errors="replace") for cell in cells))))

    def _reject(self, index: int, reject: Reject) -> None:
        self.kinds[index] = REJECT
        self.told[index] = reject
        self.reshaped.discard(index)

    @property
    def lenient(self) -> bool:
        """Of `inspect`: a text alone at the end is taken for a note."""
        return self.hints.lenient

    @property
    def sure_of(self) -> Callable[[Sequence[bytes]], int]:
        """What says how many cells of a row of the wrong width stand under their own headers; it holds no text."""
        return functools.partial(
            doubt.before_shift, width=self.text.width, delimiter=self.text.dialect.mark, profile=self.profile
        )

    def repair(self, index: int, cells: Sequence[bytes], message: str, reshaped: str = "") -> None:
        """Keep a record in its only reading. `reshaped`: what to do instead, of one whose bytes do not have the header's columns."""
        try:
            texts = tuple(cell.decode() for cell in cells)
        except UnicodeDecodeError:
            self.give_up(index, *UNDECODABLE)
            return
        self.kinds[index] = REPAIRED
        said = Finding("ROW_QUOTE_REPAIRED", message, reshaped or "Double every quote inside a quoted cell.")
        self.told[index] = Reject(said, b"", texts)
        if reshaped:
            self.reshaped.add(index)

    def mend(self, index: int, told: list[bytes] | None) -> bool:
        """Keep a record if one reading only gives the header's columns; False if there is none. `told`: its cells."""
        found = mending.mend(self.bytes_of(index), told, self.text.dialect, self.text.width, self.spare, self.profile)
        if found is not None:
            self.repair(index, *found, reshaped="Separate every row as the header is.")
        return found is not None

    def judge_repaired(self, index: int, cells: tuple[bytes, ...]) -> None:
        """Keep a record whose quotes have one reading, unless one that opens a cell may be lost."""
        if self.judge_spaces(index) or (mending.other_quote(cells, self.text.dialect) and self.judge_quotes(index)):
            return
        if mending.lost_opening(cells, self.text.dialect, self.profile):
            self.give_up(index, *LOST_OPENING)
        elif mending.quote_in_value(cells, self.text.dialect, self.profile):
            self.give_up(index, "ROW_QUOTE", "A quote stands in a value of a column that has none.", "Take it away.")
        elif mending.may_be_otherwise(self.bytes_of(index), self.text.dialect, self.text.width):
            self.give_up(index, "ROW_QUOTE", "The row may be separated by another delimiter.")
        else:
            self.repair(index, cells, QUOTE_REPAIRED)

    def judge_quotes(self, index: int) -> bool:
        """Take the quotes off a record if all cells are in such as the file does not use; False if they are not."""
        cells = mending.requoted(self.bytes_of(index), self.text.dialect)
        if cells is not None and len(cells) == self.text.width and self.profile.fits(cells):
            self.repair(index, cells, "All cells of the row stand in quotes that the file does not use; taken off.")
            return True
        return False

    def judge_spaces(self, index: int) -> bool:
        """Take the spaces behind the delimiters off a record if it has one behind each; False if it has not."""
        cells = mending.spaced(self.bytes_of(index), self.text.dialect, self.text.width)
        if cells is None or self.text.dialect.padded or not self.profile.fits(cells):
            return False
        self.repair(index, cells, "A space stands behind each delimiter of the row, as in no other; taken off.")
        return True

    def judge_width(self, index: int) -> None:
        """Tell what a record of the wrong width is: blank, to be mended, or rejected."""
        told = self.cells_of(index)
        if not self.bytes_of(index).strip() or (told is not None and not any(cell.strip() for cell in told)):
            self.kinds[index] = BLANK
        elif not (self.mend(index, told) or (self.fills and self._fill(index, told or ()))):
            self._reject_width(index, told or ())

    @property
    def fills(self) -> bool:
        """Whether rows that are too short are filled up with blank cells: of `inspect`, where many are so."""
        return self.lenient and self.layout is None and self.profile.often_short

    def _fill(self, index: int, cells: Sequence[bytes]) -> bool:
        """Put blank cells behind a record that is too short; False if it is not, or does not look like the others."""
        missing = self.text.width - len(cells)
        if len(cells) < 2 or missing < 1 or not self.profile.begins_like(cells):
            return False
        ends = f"The row ends {missing} delimiter{'s' * (missing > 1)} early, as many do"
        said = f"{ends}; read as blank here, but an upload rejects it."
        hint = "End every row with as many delimiters as the header has."
        self.repair(index, (*cells, *[b""] * missing), said, reshaped=hint)
        return True

    def _reject_width(self, index: int, told: Sequence[bytes]) -> None:
        cells = tuple(cell.decode(errors="replace") for cell in told[: bounds.MAX_COLUMNS])
        sent = self._sent(cells)
        left = len(sent) if len(sent) < len(cells) else len(told)
        said = self.layout.say(left, len(told)) if self.layout else returned.say_width(len(told), self.text.width)
        whole = self.layout is None and len(cells) == len(told)
        self._reject(index, Reject(Finding("ROW_COLUMNS", *said), b"", sent, UNASKED if whole else self.sure_of(told)))

    def _sent(self, cells: tuple[str, ...]) -> tuple[str, ...]:
        """Give the cells of a rejected record without those that we put behind them in a correction file."""
        first = None if self.layout is None else returned.begin(cells)
        if first is not None:
            self.corrects |= returned.marker(cells, first)
        return cells[:first] or (cells and ("",))

    def skip(self, index: int) -> None:
        """Leave a record out: it is no product."""
        self.kinds[index] = SKIPPED
        self.told.pop(index, None)
        self.reshaped.discard(index)

    def settle(self) -> None:
        """Take the records that have proved to be no clean ones out of what was parsed."""
        keep = self.kinds[self.parsed] == CLEAN
        if not keep.all():
            self.parsed = self.parsed[keep]
            self.columns = [column.filter(pa.array(keep)) for column in self.columns]

    def forget(self) -> None:
        """Begin anew with other records."""
        self.kinds = self.kinds[:0]
        self.marks = self.places = None
        self.told.clear()
        self.reshaped.clear()
        self.corrects.clear()


QUOTE_REPAIRED = "A quote stands where none may; only one reading gives the header's columns, and it was taken."
LOST_OPENING = (
    "ROW_QUOTE",
    "A cell ends with a quote, and the one that opens it may be missing.",
    "Double every quote inside a quoted cell.",
)
UNDECODABLE = ("ROW_ENCODING", "The row has bytes that are no text in the file's encoding.", "Send the file as UTF-8.")
