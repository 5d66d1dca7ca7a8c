"""Clean tables polluted at random, read without being told how: hardly a wrong row, hardly a good one lost, the header found."""

from random import Random

import pytest

from tests.property.pollution import pollute
from tests.unit.reading import KNOWN, read

ALL_KNOWN = KNOWN | {"updated", "url"}


@pytest.mark.parametrize(
    ("first", "count"), [(0, 500), pytest.param(500, 20_000, marks=pytest.mark.full)], ids=["some", "many"]
)
def test_a_polluted_table_is_read_as_the_clean_one(tmp_path, first, count):
    rows = wrong = lost = 0
    bad = []
    for seed in range(first, first + count):
        polluted = pollute(Random(seed))
        found = read(tmp_path, polluted.data, complete=True, lenient=True, known_headers=ALL_KNOWN)
        got = [list(row[: len(polluted.rows[0])]) for row in found.rows]
        score = polluted.score(list(found.source.headers), got)
        assert score[2], f"seed {seed}, {polluted.what}: header {found.source.headers}"
        rows, wrong, lost = rows + len(got), wrong + score[0], lost + score[1]
        if score[0] or score[1]:
            bad.append((seed, polluted.what, score))
    assert wrong <= 0.0003 * rows, bad
    assert lost <= 0.0003 * rows, bad
