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
