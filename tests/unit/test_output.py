"""What the command line prints for people cannot be forged from outside."""

import pytest

from sftp_gateway.cli import output


def test_a_table_lines_its_columns_up(capsys):
    output.table(("NAME", "ROWS"), [("a", 1), ("long name", 1200)], "none")
    assert capsys.readouterr().out == "NAME       ROWS\na             1\nlong name  1200\n"


def test_an_empty_table_says_so(capsys):
    output.table(("NAME",), [], "No brand yet")
    assert capsys.readouterr().out == "No brand yet\n"


def test_names_from_outside_cannot_move_the_cursor_or_forge_a_line(capsys):
    output.table(("FILE",), [("a\x1b[2J\nUPLOAD 2",)], "none")
    assert capsys.readouterr().out.count("\n") == 2
    assert "\x1b" not in output.clean("\x1b]0;evil\x07")
    assert "\u202e" not in output.clean("\u202egpj.exe")


def test_progress_is_silent_where_nobody_watches(capsys):
    progress = output.Progress("x")
    progress("read", 0.5)
    progress.done()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("sample", "line"),
    [
        (
            {
                "row": 54,
                "value": "",
                "message": "The row has 12 cells, the header 14.",
                "suggestion": "Look for 2 missing.",
            },
            "row 54: The row has 12 cells, the header 14. Look for 2 missing.",
        ),
        (
            {
                "row": None,
                "value": "size_x",
                "message": "column 'size_x' is not known",
                "suggestion": "did you mean size?",
            },
            "“size_x”: column 'size_x' is not known. Did you mean size?",
        ),
        ({"row": 3, "value": "x", "message": "is no number", "suggestion": None}, "row 3 “x”: is no number."),
    ],
)
def test_a_finding_ends_in_one_mark(capsys, sample, line):
    zeros = dict.fromkeys(("read", "accepted", "rejected", "duplicates", "retained"), 0)
    finding = {"count": 1, "code": "ROW_COLUMNS", "column": None, "severity": "error", "samples": [sample]}
    receipt = {
        "upload": 1,
        "file": {"name": "a.csv"},
        "state": "refused",
        "mode": "full",
        "version": None,
        "rows": zeros,
    }
    receipt |= {"changes": {"withheld": 0}, "reasons": [], "findings": [finding], "files": []}
    output.receipt(receipt)
    assert line in [printed.strip() for printed in capsys.readouterr().out.splitlines()]
