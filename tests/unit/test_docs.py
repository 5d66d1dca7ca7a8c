"""The docs cannot lie: settings, log events, metrics, verbs and the state picture, both ways."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from msgspec import structs

from sftp_gateway import upload
from sftp_gateway.cli import arguments
from sftp_gateway.settings import Settings

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs/operations.md").read_text()
SOURCES = {path: path.read_text() for path in sorted((ROOT / "sftp_gateway").rglob("*.py"))}
TELLING = {"debug", "info", "warning", "error", "exception", "critical", "emit", "note"}
EVENT = re.compile(r"[a-z_]+\.[a-z_]+")


def section(title: str) -> str:
    return OPERATIONS.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def documented(title: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)`", section(title), re.MULTILINE))


def emitted_events() -> set[str]:
    """The names given to a log call, to a transaction's `emit` or to the journal, whose lines follow the commit."""
    found = {f"upload.{state}" for state in upload.State}  # each step of the table leads to one of them
    for text in SOURCES.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TELLING:
                given = [part for argument in node.args for part in parts(argument)]
                found |= {part.value for part in given if is_event(part)}
    return found


def parts(argument: ast.expr) -> list[ast.expr]:
    return [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]


def is_event(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and EVENT.fullmatch(node.value) is not None


def test_every_setting_is_documented_and_no_other():
    known = {
        f"{s.name}.{f.name}" for s in structs.fields(Settings) for f in structs.fields(getattr(Settings(), s.name))
    }
    assert documented("Settings") == known


def test_every_log_event_is_documented_and_no_other():
    assert documented("Log events") == emitted_events()


def emitted_keys() -> set[str]:
    """The keys of those lines: those of the call, and for the journal those of its `detail`."""
    found = set()
    for node in (node for text in SOURCES.values() for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {*TELLING, "move"}:
            names = {keyword.arg for keyword in node.keywords}
            dicts = [part for part in ast.walk(node) if isinstance(part, ast.Dict) and "detail" in names]
            found |= {key.value for part in dicts for key in part.keys if isinstance(key, ast.Constant)}
            is_told = any(is_event(part) for argument in node.args for part in parts(argument))
            found |= names - {"detail"} if is_told else set()
    return found - {None, "exc_info"}


def test_every_key_of_a_log_event_is_documented():
    documented_keys = set(re.findall(r"`([a-z_0-9]+)(?:=[a-z_]+)?`", section("Log events")))
    assert emitted_keys() - documented_keys == set()


def test_every_metric_is_documented_and_no_other():
    texts = [*SOURCES.values(), (ROOT / "sftp_gateway/metrics.toml").read_text()]
    known = {name for text in texts for name in re.findall(r"\bsftp_gateway_[a-z_]+\b", text)}
    assert documented("Metrics") == known - {"sftp_gateway_"}


def test_the_state_picture_is_made_from_the_table():
    assert upload.picture() in (ROOT / "docs/architecture.md").read_text()


def verbs(parser) -> set[str]:
    found = set()
    for action in parser._actions:
        if action.choices and isinstance(action.choices, dict):
            for name, below in action.choices.items():
                deeper = verbs(below)
                found |= {f"{name} {verb}" for verb in deeper} or {name}
    return found


def test_every_verb_is_documented_and_no_other():
    assert documented("Verbs") == verbs(arguments.parser())


def test_links_in_the_docs_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if not target.startswith("http") and not (page.parent / target).exists()
    ]
    assert not broken


def test_the_commands_of_the_readme_exist():
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for command in set(re.findall(r"^make ([a-z-]+)", readme, re.MULTILINE)):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command


def test_the_version_answers_at_once_and_says_who_it_is():
    run = subprocess.run(
        [sys.executable, "-m", "sftp_gateway", "--version"], capture_output=True, text=True, check=True, timeout=30
    )
    assert re.fullmatch(r"sftp-gateway \d+\.\d+\.\d+\n", run.stdout)
