"""Clean tables polluted at random, read without being told how: hardly a wrong row, hardly a good one lost, the header found."""

from random import Random

import pytest

from tests.property.pollution import pollute, pollute_framed, pollute_strangely
from tests.property.unlike import pollute_trades
from tests.property.varied import damage_varied, pollute_varied, print_varied
from tests.unit.reading import KNOWN, read

ALL_KNOWN = KNOWN | {"updated", "url"}


def ways(*polluting, some: int, many: int) -> pytest.MarkDecorator:
    """Each way to pollute, with some seeds and with many."""
    full = [pytest.mark.full, pytest.mark.timeout(600)]
    runs = [(0, some, ()), (some, many, full)]
    return pytest.mark.parametrize(
        ("polluting", "first", "count"),
        [
            pytest.param(one, first, count, marks=marks, id=f"{one.__name__}-{count}")
            for one in polluting
            for first, count, marks in runs
        ],
    )


@ways(pollute, some=300, many=20_000)
def test_a_polluted_catalog_is_read_as_the_clean_one(tmp_path, polluting, first, count):
    wrong, lost, missed, bad = judged(tmp_path, polluting, first, count)
    assert missed == 0, bad
    assert wrong <= 0.0003, bad
    assert lost <= 0.0003, bad


@ways(pollute_strangely, pollute_framed, some=300, many=20_000)
def test_a_polluted_table_with_strange_delimiters_or_in_a_frame_is_read_as_the_clean_one(
    tmp_path, polluting, first, count
):
    hold_to_the_promise(*judged(tmp_path, polluting, first, count))


@ways(pollute_varied, damage_varied, print_varied, some=250, many=8_000)
def test_a_polluted_table_of_another_kind_is_read_as_the_clean_one(tmp_path, polluting, first, count):
    hold_to_the_promise(*judged(tmp_path, polluting, first, count))


@ways(pollute_trades, some=250, many=8_000)
def test_a_polluted_table_of_any_trade_is_read_as_the_clean_one(tmp_path, polluting, first, count):
    hold_to_the_promise(*judged(tmp_path, polluting, first, count))


def hold_to_the_promise(wrong, lost, missed, bad):
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
