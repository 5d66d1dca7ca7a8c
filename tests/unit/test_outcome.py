"""What people read about an upload."""

import pytest

from sftp_gateway import outcome


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.csv.7.errors.csv", "Errors"),
        ("a.csv.7.errors.jsonl.gz", "Errors for machines"),
        ("a.csv.7.withheld.csv", "Withheld removals"),
        ("a.csv.7.corrections.csv", "Corrections"),
        ("a.json.7.corrections.jsonl", "Corrections"),
        ("a.xls.7.corrections.xlsx", "Corrections"),
        ("v000012.changes.csv", "Changes"),
        ("current.parquet", "Catalog"),
        ("a.csv.7.json", "Receipt"),
    ],
)
def test_every_result_file_is_called_what_it_is(name, said):
    assert outcome.file_kind(name)[0] == said


@pytest.mark.parametrize(
    ("would_be", "read", "accepted", "said"),
    [
        ("refused", 0, 0, "Dry run: as a real file this would end as “refused”. Nothing was changed."),
        (
            "published",
            2,
            1,
            "Dry run: as a real file this would end as “live”. 1 of 2 rows are fine; nothing was changed.",
        ),
        (
            "published",
            1,
            1,
            "Dry run: as a real file this would end as “live”. The one row is fine; nothing was changed.",
        ),
    ],
)
def test_a_dry_run_is_told_by_its_rows_where_some_were_read(would_be, read, accepted, said):
    receipt = {"state": "tested", "would_be": would_be, "rows": {"read": read, "accepted": accepted}}
    assert outcome.sentence(receipt) == said
