"""What orders files by their names (`name_pattern`)."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sftp_gateway import backtracking, upload_name

BOTH = r"cat_(?P<date>[0-9-]+)(?:_(?P<sequence>\d+))?\.csv"


@pytest.mark.parametrize(
    ("name", "pattern", "key"),
    [
        ("cat_20260102.csv", BOTH, ("20260102", 0)),
        ("cat_2026-1-2.csv", BOTH, ("20260102", 0)),
        ("cat_2026-01-02_0010.csv", BOTH, ("20260102", 10)),
        ("9.csv", r"(?P<sequence>\d+)\.csv", ("", 9)),
        ("cat_20260102.csv.bak", BOTH, None),
        ("xcat_20260102.csv", BOTH, None),
        ("cat_-.csv", BOTH, None),
        ("v1b.csv", r"v(?P<sequence>\w+)\.csv", None),
        (".csv", r"(?P<date>\d+)?\.csv", None),
        ("cat_20260102.csv.7.corrections.csv", r"cat_(?P<date>\d+).*", None),
        ("cat_20260102.csv", "", None),
    ],
)
def test_a_name_has_the_key_that_the_pattern_finds_in_the_whole_of_it(name, pattern, key):
    assert upload_name.key(name, pattern) == key


def test_a_date_counts_before_a_sequence_and_sequences_are_numbers():
    names = ["cat_20260101_10.csv", "cat_20260102_9.csv", "cat_2026-01-02_10.csv"]
    keys = [upload_name.key(name, BOTH) for name in names]
    assert keys[0] < keys[1] < keys[2]


FAST = [
    BOTH,
    r"feed-(?P<date>\d{8})\.csv",
    r".*(?P<date>\d{8}).*",
    r"\w+?_(?P<date>\d{4}-?\d\d-?\d\d)(?:_(?P<sequence>\d+))?\.csv",
    r"[a-z]+-[a-z]+-[a-z]+_(?P<date>\d+)_(?P<sequence>\d+)\.csv",
    r"(?i)cat.*_(?P<date>\d+)\.(csv|xlsx|json)(\.gz)?",
    r"(?:[A-Z]{3}-)*(?P<sequence>\d+)\.csv",
    r"(full|delta)-(?P<date>\d{4}(-\d\d){2}T\d{6}Z?)\.jsonl?(\.(gz|zst|zip))?",
]
SLOW = [
    r"(\w+)*_(?P<date>\d+)\.csv",
    r"(?P<date>(\d+)+)\.csv",
    r"(a|a)*(?P<date>\d)",
    r"(a|ab|b)+(?P<date>\d)",
    r"\w+\w+\w+\w+(?P<date>\d)",
    r"\w*_\w*_\w*_(?P<sequence>\d+)",
    r"(?:a?){60}a{60}(?P<date>\d)",
    r"((a{0,5}){0,5}){0,5}(?P<date>\d)",
    r"(?P<date>\d+)(?=(\d+)+$)",
    r"(\w)(?P<date>\d+)\1+",
    r"(?P<date>(?:\d+-?)+)",
    r"(?i)(?:[a-z]+|[A-Z]+)*(?P<date>\d)",
    r"(?i:K)+\w+k+(?P<date>\d)",
    r"(?:.*-){200}(?P<date>\d)",
    r"(\n+)*(?P<date>\d)",
    r"(?P<date>\d)" + "[а-я]*б" * 8,
    r"(?P<date>\d)" + "[α-ω]*[κ-π]" * 8,
    r"(?i)(?P<date>\d)" + "[а-я]*Б" * 8,
    r"(?P<date>\d)" + "[^б]*в" * 8,
    r"(?P<date>\d)" + "[^бг]*[б-г]" * 8,
    r"(?P<date>\d)(?:.*.*.*.*.{300,}x|.*y)",
]


@pytest.mark.parametrize("pattern", FAST)
def test_patterns_that_people_write_are_taken(pattern):
    assert not backtracking.is_slow(pattern)


@pytest.mark.parametrize("pattern", SLOW)
def test_a_pattern_that_a_name_could_keep_busy_is_refused(pattern):
    """Names come from brands, and are matched while the brand's turn is held: one of them would stop the worker."""
    assert backtracking.is_slow(pattern)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "_", r"\d", r"\w", ".", "[ab]", "[^_]", "(ab)", "(a|b)", "(?:a_?)", r"(\d|a_)"]),
            st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "+?"]),
        ),
        min_size=1,
        max_size=6,
    ),
    st.text("ab_1.", min_size=1, max_size=3),
)
def test_what_is_taken_is_quick_for_long_names(parts, unit):
    pattern = "".join(map("".join, parts))
    if backtracking.is_slow(pattern):
        return
    begun = time.process_time()
    re.fullmatch(pattern, (unit * 255)[:254] + "!")
    assert time.process_time() - begun < 0.5
