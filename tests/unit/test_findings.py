"""docs/findings.md and the code know the same codes; findings fit their table."""

import ast
import re
from pathlib import Path

from sftp_gateway.catalog import codes, findings

ROOT = Path(__file__).parents[2]
SECTIONS = {
    part.split("\n", 1)[0]: part.split("\n", 1)[1]
    for part in re.split(r"^### ", (ROOT / "docs/findings.md").read_text(), flags=re.MULTILINE)[1:]
}
CODE = re.compile(r"(?:FILE|ROW|FIELD|CATALOG)_[A-Z_]+")


def test_every_code_is_documented_and_no_other():
    assert set(SECTIONS) == set(codes.CODES)


def test_every_entry_gives_severity_cause_fix_and_example():
    for name, text in SECTIONS.items():
        severity = re.search(r"^Severity: (\w+)$", text, re.MULTILINE)
        assert severity is not None, name
        assert severity[1] == codes.CODES[name], name
        for part in ("Cause", "Fix", "Example"):
            assert re.search(rf"^- \*\*{part}:\*\* \S", text, re.MULTILINE), (name, part)


def test_the_code_gives_no_code_that_does_not_exist():
    for path in (ROOT / "sftp_gateway").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                assert node.value in codes.CODES, (path, node.value)


def test_a_finding_takes_the_severity_of_its_code_unless_it_has_its_own():
    table = findings.table(
        [
            findings.Finding("FIELD_TYPE", "is not a number", row=3),
            findings.Finding("FIELD_TYPE", "", severity="warning"),
        ]
    )
    assert table.schema == findings.SCHEMA
    assert table["severity"].to_pylist() == ["error", "warning"]
    assert table["row"].to_pylist() == [3, None]
