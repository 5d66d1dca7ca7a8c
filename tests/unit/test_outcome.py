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


def told(state, read, accepted, rejected, **changes):
    known = dict.fromkeys(("created", "updated", "unchanged", "removed", "deleted", "withheld"), 0) | changes
    rows = {"read": read, "accepted": accepted, "rejected": rejected}
    return {"state": state, "version": 2 if state == "published" else None, "rows": rows, "changes": known}


@pytest.mark.parametrize(
    ("receipt", "label", "said"),
    [
        (
            told("unchanged", 21, 20, 1, unchanged=20),
            "Nothing changed, 1 row left out",
            "The catalog already is as in the 20 rows that are fine; nothing changed. 1 row needs fixing.",
        ),
        (
            told("unchanged", 3, 1, 2, unchanged=1),
            "Nothing changed, 2 rows left out",
            "The catalog already is as in the 1 row that is fine; nothing changed. 2 rows need fixing.",
        ),
        (
            told("unchanged", 20, 20, 0, unchanged=20),
            "Nothing changed",
            "The catalog already is as in this file; nothing changed.",
        ),
        (told("published", 2, 2, 0, deleted=2), "Live", "2 products were removed with version 2."),
        (
            told("published", 3, 2, 1, deleted=2),
            "Live, 1 row left out",
            "2 products were removed with version 2; 1 row needs fixing.",
        ),
        (
            told("published", 5, 4, 1, updated=3, deleted=1),
            "Live, 1 row left out",
            "3 of 5 rows are live as version 2; 1 product was removed; 1 row needs fixing.",
        ),
        (told("published", 2, 2, 0, updated=2), "Live", "All 2 rows are live as version 2."),
    ],
)
def test_a_result_is_told_by_what_became_of_its_rows(receipt, label, said):
    assert (outcome.label(receipt).text, outcome.sentence(receipt)) == (label, said)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "The file stops in the middle."),
        (
            ["The marker file that says it is complete did not come"],
            "The marker file that says it is complete did not come.",
        ),
        (
            ["The connection ended before the file was closed", "The gateway has no room"],
            "The connection ended before the file was closed.",
        ),
    ],
)
def test_what_an_unfinished_file_lacks_is_said(texts, said):
    receipt = {"state": "unfinished", "reasons": [{"text": text} for text in texts]}
    assert outcome.sentence(receipt) == f"{said} Send what is missing, or all of it again; nothing has changed."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fill in name", "Fill in name."),
        ("did you mean cost?", "Did you mean cost?"),
        ("catalog.csv.sha256 says 0f, the file 1f", "catalog.csv.sha256 says 0f, the file 1f."),
        ("/errors/x.csv is read-only", "/errors/x.csv is read-only."),
        ("is_visible has two headers", "is_visible has two headers."),
        ("write digits, like 12.50", "Write digits, like 12.50."),
        ("what's that", "What's that."),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_unless_a_name_begins_it(text, said):
    assert outcome.as_sentence(text) == said


@pytest.mark.parametrize(
    ("event", "previous", "said"),
    [
        ("upload.receiving", "unfinished", "Its sender goes on"),
        ("upload.received", "", "Received"),
        ("upload.received", "receiving", "Received"),
        ("upload.received", "unfinished", "Received"),
        ("upload.received", "processing", "Handed back, tried again"),
        ("upload.received", "held", "Approved, checked again"),
        ("upload.received", "failed", "Tried again"),
    ],
)
def test_what_happened_to_a_file_is_told_by_where_it_came_from(event, previous, said):
    assert outcome.happened(event, "gateway", {"previous": previous} if previous else {}) == said


@pytest.mark.parametrize(
    ("would_be", "said"),
    [("published", "Test run"), ("held", "Test run, on hold"), ("refused", "Test run, refused"), (None, "Test run")],
)
def test_a_test_run_says_at_once_that_the_file_would_not_go_live(would_be, said):
    assert outcome.label({"state": "tested", "would_be": would_be, "rows": {"rejected": 2}}).text == said
