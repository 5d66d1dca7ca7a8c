"""structlog: one event per transition, JSON when not on a terminal, nothing forged, no secret.

Use: `log = logs.get(__name__)`, `log.info("upload.published", upload=17, brand="acme")`. Events are
`noun.past_verb`; each is documented in docs/operations.md (a test holds both ways). Names and values
from outside travel as values of keys: JSON escapes them, and so does `printable` for the text renderer,
so they cannot start a line, or tell a terminal what to do.
"""

import contextlib
import functools
import json
import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO

import orjson
import structlog

SECRET = ("password", "secret", "token", "authorization", "private_key")

AS_IT_IS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def get(name: str) -> Any:
    """Give the logger of a module; context bound with `bind` travels with it."""
    return structlog.get_logger(module=name)


def redact(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Blank values whose key names a secret: the last line of defence, not the first."""
    for key in event:
        if _is_secret(key) and isinstance(event[key], str):
            event[key] = "[redacted]"
    return event


@functools.lru_cache(1024)
def _is_secret(key: str) -> bool:
    """Whether a key names a secret; the keys of our events are few, and each transfer's line has twenty."""
    return any(word in key.lower() for word in SECRET)


def printable(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape what a terminal would not show but obey; a traceback keeps its lines."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            lines = value.split("\n") if key in {"exception", "stack"} else [value]
            event[key] = "\n".join(map(_escaped, lines))
    return event


def _escaped(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _as_json(event: structlog.typing.EventDict, default: Callable[[Any], Any]) -> str:
    """Write an event as JSON in ASCII: what is none is escaped, for a log may be looked at on a terminal."""
    with contextlib.suppress(TypeError):  # a number too large, or half of a character
        line = orjson.dumps(event, default=default, option=AS_IT_IS)
        if line.isascii():
            return line.decode()
    return json.dumps(event, default=default, separators=(",", ":"))


def configure(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Set the chain for this process; `style` is auto, json or text, in any case. Stdlib loggers join it, and warnings."""
    out = stream or sys.stderr
    style = style.lower()
    as_json = style == "json" or (style == "auto" and not out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    if not as_json:
        shared.append(printable)
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_as_json)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    foreign = logging.StreamHandler(out)
    foreign.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [foreign]
    root.setLevel(max(numeric, logging.WARNING))
    logging.captureWarnings(True)  # else they stand between the lines as bare text
