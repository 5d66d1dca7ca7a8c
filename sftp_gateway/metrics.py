"""Every metric by name, and how series of them are printed for Prometheus. Pure."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from sftp_gateway import __version__

METRICS: dict[str, tuple[str, str]] = tomllib.loads(Path(__file__).with_name("metrics.toml").read_text("utf-8"))
"""Name → type and help of all that /metrics tells, in this order."""

Labels = tuple[tuple[str, str], ...]
Series = dict[tuple[str, Labels], float]
"""(metric without its prefix, labels) → value."""


def printed(series: Series) -> str:
    """Print series in the text format of Prometheus, each metric with its help and type once."""
    lines = []
    for name, (kind, text) in METRICS.items():
        family = [name] if kind != "histogram" else [f"{name}_bucket", f"{name}_sum", f"{name}_count"]
        named = ((f"sftp_gateway_{one}", tags, value) for (one, tags), value in series.items())
        rows = [f"{one}{_labels(tags)} {value}" for one, tags, value in named if one in family]
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *rows] if rows else []
    return "\n".join(lines) + "\n"


def _labels(tags: Labels) -> str:
    safe = ((name, value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for name, value in tags)
    return "{" + ",".join(f'{name}="{value}"' for name, value in safe) + "}" if tags else ""


def of_process(figures: Mapping[str, float | Mapping[str, float]]) -> Series:
    """Make series of the numbers of this process; those of a mapping are by door."""
    series: Series = {("build_info", (("version", __version__),)): 1}
    for name, value in figures.items():
        parts = value if isinstance(value, Mapping) else {"": value}
        series |= {(name, (("door", part),) if part else ()): figure for part, figure in parts.items()}
    return series
