"""What orders files by their names (`name_pattern`)."""

import pytest

from sftp_gateway import upload_name

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
