"""Clean tables polluted at random, read without being told how: hardly a wrong row, hardly a good one lost, the header found."""

from random import Random

import pytest

from tests.property.pollution import pollute, pollute_framed, pollute_strangely
from tests.property.varied import damage_varied, pollute_varied, print_varied
from tests.unit.reading import KNOWN, read

ALL_KNOWN = KNOWN | {"updated", "url"}


def seeds(some: int, many: int) -> pytest.MarkDecorator:
    full = [pytest.mark.full, pytest.mark.timeout(600)]
    return pytest.mark.parametrize(
        ("first", "count"), [(0, some), pytest.param(some, many, marks=full)], ids=["some", "many"]
    )


SEEDS, OTHER_SEEDS = seeds(500, 20_000), seeds(300, 4_000)


@SEEDS
def test_a_polluted_table_is_read_as_the_clean_one(tmp_path, first, count):
    wrong, lost, missed, bad = judged(tmp_path, pollute, first, count)
    assert missed == 0, bad
    assert wrong <= 0.0003, bad
    assert lost <= 0.0003, bad


@SEEDS
def test_a_polluted_table_with_strange_delimiters_or_a_blank_column_is_read_as_the_clean_one(tmp_path, first, count):
    wrong, lost, missed, bad = judged(tmp_path, pollute_strangely, first, count)
    assert missed <= 0.005, bad
    assert wrong <= 0.001, bad
    assert lost <= 0.001, bad


@SEEDS
def test_a_polluted_table_in_a_frame_is_read_as_the_clean_one(tmp_path, first, count):
    wrong, lost, missed, bad = judged(tmp_path, pollute_framed, first, count)
    assert missed <= 0.005, bad
    assert wrong <= 0.001, bad
    assert lost <= 0.001, bad


@OTHER_SEEDS
def test_a_polluted_table_of_another_kind_is_read_as_the_clean_one(tmp_path, first, count):
    wrong, lost, missed, bad = judged(tmp_path, pollute_varied, first, count)
    assert missed <= 0.005, bad
    assert wrong <= 0.001, bad
    assert lost <= 0.001, bad


@OTHER_SEEDS
def test_a_damaged_row_does_not_spoil_a_table_of_another_kind(tmp_path, first, count):
    wrong, lost, missed, bad = judged(tmp_path, damage_varied, first, count)
    assert missed <= 0.005, bad
    assert wrong <= 0.001, bad
    assert lost <= 0.001, bad


@OTHER_SEEDS
def test_a_table_padded_to_columns_is_read_without_the_padding(tmp_path, first, count):
    wrong, lost, missed, bad = judged(tmp_path, print_varied, first, count)
    assert missed <= 0.005, bad
    assert wrong <= 0.001, bad
    assert lost <= 0.001, bad


def judged(folder, polluting, first, count):
    """(share of rows put out that are wrong, of undamaged ones lost, of files without their header, where)."""
    rows = wrong = lost = missed = 0
    bad = []
    for seed in range(first, first + count):
        polluted = polluting(Random(seed))
        found = read(folder, polluted.data, complete=True, lenient=True, known_headers=ALL_KNOWN)
        got = [list(row[: len(polluted.rows[0])]) for row in found.rows]
        score = polluted.score(list(found.source.headers), got)
        rows, wrong, lost, missed = rows + len(got), wrong + score[0], lost + score[1], missed + (not score[2])
        if any(score[:2]) or not score[2]:
            bad.append((seed, polluted.what, score))
    return wrong / rows, lost / rows, missed / count, bad
