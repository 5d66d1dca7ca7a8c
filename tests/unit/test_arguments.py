"""The grammar of the command line: what no database could look for is a usage error, not ours."""

import json

import pytest

from sftp_gateway.cli import arguments, opening
from sftp_gateway.errors import NotFound


@pytest.mark.parametrize(
    "line",
    [
        "upload 99999999999999999999999", "upload 2147483648", "approve 0", "retry -1", "refuse x",
        "rollback --brand acme 2147483648", "catalog --brand acme --version 0", "changes --brand acme --version 9999999999",
        "uploads --limit -1", "uploads --limit 0", "uploads --cursor 99999999999",
    ],
)  # fmt: skip
def test_a_number_that_can_be_none_is_a_usage_error(line, capsys):
    with pytest.raises(SystemExit) as ended:
        arguments.parser().parse_args(line.split())
    assert ended.value.code == 2
    assert "whole number from" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", ["upload x --json", "upload --json", "nothing --json", "uploads --json --foo", "brand key --json"]
)
def test_a_program_is_told_a_usage_error_as_json(line, capsys):
    with pytest.raises(SystemExit) as ended:
        arguments.parser().parse_args(line.split())
    assert ended.value.code == 2
    told = json.loads(capsys.readouterr().err)
    assert told["exit"] == 2
    assert told["error"]


def test_the_largest_number_is_one():
    assert arguments.parser().parse_args(["upload", "2147483647"]).id == 2147483647


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:00:00-05:00", "yesterday"])
def test_a_moment_outside_of_time_is_no_date(text):
    with pytest.raises(NotFound, match="--since"):
        opening.moment(text, "--since")
