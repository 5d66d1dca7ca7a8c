"""Log lines: nothing from outside forges one, or moves a terminal, in either style."""

import io
import json
import logging
import subprocess
import sys

import pytest
import structlog

from sftp_gateway import logs

EVIL = "\x1b[2J\x1b]0;owned\x07a\nforged\x85\u2028\u202eb"


@pytest.fixture
def written():
    """Give a function that logs by a style and gives what was written."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def write(style, **values):
        stream = io.StringIO()
        logs.configure("info", style, stream)
        fault = ValueError(values["command"])
        logs.get("test").error("request.refused", exc_info=fault, **values)
        return stream.getvalue()

    yield write
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_text_shows_what_is_outside_as_one_printable_line(written):
    first, *rest = written("text", command=EVIL, client="\x1b[31m", name="Größe 日本.csv").split("\n")
    assert r"\x1b[2J" in first and r"\x1b[31m" in first and r"a\nforged" in first
    assert "Größe 日本.csv" in first
    assert first.isprintable()
    assert any("ValueError" in line for line in rest)
    assert all(line.isprintable() for line in rest)


@pytest.mark.parametrize("style", ["json", "JSON"])
def test_json_is_one_line(written, style):
    (line,) = written(style, command=EVIL).splitlines()
    assert json.loads(line)["command"] == EVIL


ODD = {
    "number": 2**70,
    "half": "\ud83d",
    "set": {1},
    "keys": {1: 2},
    "none": float("nan"),
    "name": "Größe \u202e日本.csv",
}


@pytest.mark.parametrize("kind", ODD)
def test_json_takes_whatever_a_line_is_given_and_is_ascii(written, kind):
    (line,) = written("json", command="x", value=ODD[kind]).splitlines()
    assert line.isascii()
    assert json.loads(line)["command"] == "x"
    if isinstance(ODD[kind], int | str):
        assert json.loads(line)["value"] == ODD[kind]


def test_a_warning_of_a_library_is_a_line_like_others():
    """Watchdog warns so when a folder that it watches is made just then; it stood there as bare text."""
    code = (
        "import warnings; from sftp_gateway import logs; logs.configure('info', 'json'); warnings.warn('watched twice')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert told["level"] == "warning" and "watched twice" in told["event"]
