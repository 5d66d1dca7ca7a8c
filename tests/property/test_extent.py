"""The quick look at how far a sheet reaches gives what the pattern gives, or nothing; and never less than is there."""

from hypothesis import given
from hypothesis import strategies as st

from sftp_gateway.catalog.read.sheets import extent, plain

REFERENCE = st.builds(
    lambda letters, digits: letters + digits,
    st.text("ABXZa", max_size=4),
    st.text("0129", max_size=9),
)
SPELLED = st.sampled_from(
    [' r="{}"', ' r="{}"', ' r="{}"', " r='{}'", ' r = "{}"', '\nr="{}"', ' t="s" r="{}"', ' r="{} "', ""]
)
TAG = st.sampled_from(
    ["<c{}/>", "<row{}>", "<x:c{}/>", "<c{}>a r in a text</c>", "<cols{}>", "<d{}/>", "<v>1</v>", "<rowBreaks/>"]
)


@st.composite
def stretch(draw):
    """Rows and cells that say where they stand, in any spelling."""
    parts = draw(st.lists(st.tuples(TAG, SPELLED, REFERENCE), max_size=12))
    return "".join(
        tag.format(spelled.format(reference)) if "{}" in tag else tag for tag, spelled, reference in parts
    ).encode()


@given(stretch())
def test_the_quick_look_is_the_pattern_s(text):
    reach = plain.reach(text)
    if reach is None:
        return
    slow = extent.Xlsx()
    slow._see_any(text)
    assert reach[:2] == (slow.rows, slow.columns)


FILLED = st.sampled_from(
    ["<c r={}><v>0</v></c>", '<c t="s" r={}><v>0</v></c>', '<c r={} x="/>"><v>0</v></c>', "<c r={} x='/>'><v>0</v></c>"]
)
BLANK = st.sampled_from(["<c r={}/>", '<c r={} s="3"/>', '<c r={} s="3" />', '<c s="3" r={}/>', "<x:c r={}/>"])
"""Cells that have a format and nothing else, which the library gives no room to."""


@given(st.lists(st.tuples(st.integers(1, 1048576), st.integers(1, 16384), FILLED | BLANK), min_size=1, max_size=30))
def test_plain_references_are_all_told_at_once(cells):
    text = "".join(f'<row r="{row}">{cell.format(quoted(row, column))}</row>' for row, column, cell in cells)
    filled = [(row, column) for row, column, cell in cells if "<v>" in cell]
    rows, columns = [row for row, _ in filled], [column for _, column in filled]
    assert plain.reach(text.encode()) == (
        max(row for row, _, _ in cells),
        max(column for _, column, _ in cells),
        max(rows, default=0),
        max(columns, default=0),
    )


def quoted(row: int, column: int) -> str:
    return f'"{letters(column)}{row}"'


def letters(column: int) -> str:
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text
