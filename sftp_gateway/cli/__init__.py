"""The command line: parse, call, print; errors become exit codes (spec §9). Light at import.

Each verb lives in a module of its own noun and is loaded when it is called, so that
`sftp-gateway --version` does not wait for a database driver.
"""

import argparse
import atexit
import contextlib
import errno
import importlib
import io
import json
import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from sftp_gateway import errors
from sftp_gateway.cli import arguments

PATHS = frozenset({"config", "csv_dir", "file", "files", "key", "output"})
"""Options that are names of files, which may be any bytes; all others are text."""
LOG_THEMSELVES = frozenset({"run", "ingest"})
"""Verbs that say themselves when and how events are logged."""
READER_LEFT = 141
"""What a shell reports of a program that wrote into a pipe that nobody reads any more."""


def program() -> NoReturn:
    """Be the program that a shell starts: `main`, and an end at once."""
    _three_streams()
    _end(main())


def _end(code: int) -> NoReturn:
    """End with all that is due at an end, but without taking the interpreter apart.

    That takes 0.2 s, and a thread of Arrow that still lets go of a Python object then would abort the whole process.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as multiprocessing ends its children
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more, or it is closed
            stream.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and give its exit code: 0 ok, 1 refused, 2 usage, 69, 70, 77, 78 (spec §9)."""
    options = arguments.parser().parse_args(argv)
    try:
        if options.verb not in LOG_THEMSELVES:
            from sftp_gateway import logs  # noqa: PLC0415 - structlog takes 0.05 s, which `ingest` has no time for yet

            logs.configure("warning", "text")
        _check_text(options)
        return _call(options)
    except BrokenPipeError:
        # `… | head` ends quietly, as other tools do. Not by SIGPIPE's default, which a child process
        # that dies or a connection that drops would send us, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    except KeyboardInterrupt:
        return _complain("interrupted", 130, as_json=options.json)
    except Exception as error:  # noqa: BLE001 - each is told, in one line
        text, code = _told(error)
        return _complain(text, code, as_json=options.json)


def _told(error: Exception) -> tuple[str, int]:
    """Say what became of a verb, and its exit code."""
    if isinstance(error, errors.GatewayError):
        return str(error), error.exit_code
    if isinstance(error, PermissionError):
        where = f"{error.filename}: " if error.filename else ""
        who = f"to uid {os.geteuid()}; all below storage.root must belong to its owner, and this must run as that one"
        return f"{where}{error.strerror} {who}", 77
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:  # what is printed goes to a file
        return error.strerror or str(error), 69
    if os.environ.get("SFTP_GATEWAY_TRACEBACK"):
        raise error
    text = f"unexpected {type(error).__name__}: {error} (SFTP_GATEWAY_TRACEBACK=1 shows where)"
    return " ".join(text.split()), 70


def _three_streams() -> None:
    """Put nothing in the place of a stream that the caller closed (`>&-`), and `?` in that of a letter that one has not.

    Else the next file that is opened, maybe the database, would be what others take for stdout.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _check_text(options: argparse.Namespace) -> None:
    """Raise NotFound for an argument that is no text: no name or value of ours can be meant by it."""
    for name, given in vars(options).items():
        for value in given if isinstance(given, list) else [given]:
            if name not in PATHS and isinstance(value, str) and not arguments.is_text(value):
                raise errors.NotFound(f"{value!r} is not UTF-8; give it as text")


def _call(options: argparse.Namespace) -> int:
    module, _, function = options.call.partition(":")
    code = int(getattr(importlib.import_module(f"sftp_gateway.cli.{module}"), function)(options) or 0)
    sys.stdout.flush()  # here, where somebody hears that nobody reads it
    return code


def _complain(text: str, code: int, *, as_json: bool) -> int:
    """Print one clear line on stderr, or an object for programs; give the exit code back."""
    line = json.dumps({"error": text, "exit": code}) if as_json else f"sftp-gateway: {text}"
    print(line, file=sys.stderr)
    return code
