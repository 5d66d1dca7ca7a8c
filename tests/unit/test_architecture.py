"""The house rules that a machine can hold: imports point down, libraries keep to their rooms, names."""

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "sftp_gateway"

FLOORS: list[set[str]] = [
    {"__main__"},
    {"cli"},
    {"demo", "doctor"},
    {"daemon"},
    {"sftp", "intake", "worker", "render", "retention", "mail", "web"},
    {"health"},
    {"catalog", "store", "blobs", "config"},
    {"receipt", "settings", "brandset", "outcome", "metrics", "allowed"},
    {"brand", "upload", "brake", "disk", "quantity"},
    {"errors", "logs", "backtracking", ""},
]
"""Rooms, top floor first. A room may import from lower floors and from itself, never sideways or up."""


LIBRARIES = {
    "asyncssh": ("sftp", "demo"),
    "watchdog": ("intake.watch",),
    "duckdb": ("catalog",),
    "pyarrow": ("catalog",),
    "numpy": ("catalog",),
    "pandas": ("catalog.inspect",),
    "sqlalchemy": ("store",),
    "alembic": ("store",),
    "starlette": ("web",),
    "uvicorn": ("web", "daemon"),
    "jinja2": ("web",),
    "obstore": ("blobs",),
}
"""Who alone may import a library (module prefixes below sftp_gateway)."""

FORBIDDEN_NAMES = {"utils", "common", "core", "helpers", "base", "manager", "service", "handler", "factory", "misc"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__").removesuffix("__init__"), path


@functools.cache
def imports(path: Path) -> list[tuple[str, int]]:
    """What a file imports, and where; read once, since twenty tests ask of 400 files."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def room_of(module: str) -> str:
    """The first word of the module's name: `worker_child` is a file of the room `worker`."""
    return module if module == "__main__" else re.split(r"[._]", module, maxsplit=1)[0]


def floor_of(module: str) -> int:
    for index, rooms in enumerate(FLOORS):
        if room_of(module) in rooms:
            return index
    raise AssertionError(f"sftp_gateway/{module}: a room that is on no floor; say in FLOORS where it belongs")


@functools.cache
def known() -> frozenset[str]:
    return frozenset(module for module, _ in modules())


def inside(name: str) -> str | None:
    """The module of ours that an import reaches, as a path below sftp_gateway; None for others."""
    if not (name == "sftp_gateway" or name.startswith("sftp_gateway.")):
        return None
    below = name.removeprefix("sftp_gateway").lstrip(".")
    while below and below not in known():
        below = below.rpartition(".")[0]
    return below


def test_imports_point_down():
    wrong = []
    for module, path in modules():
        for name, line in imports(path):
            target = inside(name)
            if target is None or room_of(target) == room_of(module):
                continue
            if floor_of(target) <= floor_of(module):
                wrong.append(f"sftp_gateway/{path.relative_to(PACKAGE)}:{line} imports {target}")
    assert not wrong, "\n".join(wrong)


def test_no_room_is_part_of_a_circle():
    graph = {
        module: {t for name, _ in imports(path) if (t := inside(name)) and t != module} for module, path in modules()
    }

    def reaches(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(graph[start])
        while todo:
            module = todo.pop()
            if module not in seen:
                seen.add(module)
                todo += graph[module]
        return seen

    assert not [module for module in graph if module in reaches(module)]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_keeps_to_its_room(library):
    allowed = LIBRARIES[library]
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for module, path in modules()
        for name, line in imports(path)
        if name.partition(".")[0] == library
        and not any(module == room or module.startswith((room + ".", room + "_")) for room in allowed)
    ]
    assert not wrong, f"{library} is imported outside {allowed}: {wrong}"


def test_no_import_inside_a_function_without_a_reason():
    wrong = []
    for _, path in modules():
        lines = path.read_text().splitlines()
        for function in ast.walk(ast.parse("\n".join(lines))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            wrong += [
                f"{path.relative_to(ROOT)}:{node.lineno}"
                for node in ast.walk(function)
                if isinstance(node, ast.Import | ast.ImportFrom) and "#" not in lines[node.lineno - 1]
            ]
    assert not wrong


def test_modules_have_names_that_say_something():
    assert not [
        str(path) for _, path in modules() if path.stem in FORBIDDEN_NAMES or path.parent.name in FORBIDDEN_NAMES
    ]


def test_every_module_says_what_it_is_for():
    assert not [str(path) for _, path in modules() if not ast.get_docstring(ast.parse(path.read_text()))]


@pytest.mark.parametrize("verbs", ["uploads", "brands"])
def test_a_verb_at_the_shell_waits_for_no_engine(verbs):
    """Arrow and numpy take 0.2 s to import, and asyncssh as much; only work on files and reading a key need them."""
    heavy = {"numpy", "pyarrow", "pandas", "asyncssh", "argon2"}
    loaded = f"import sys; import sftp_gateway.cli.{verbs}; print(*{heavy} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == ""


def test_to_read_and_check_a_file_asks_for_no_database():
    """DuckDB takes 0.1 s to import, a sixth of what it takes to check 100,000 rows."""
    loaded = "import sys; import sftp_gateway.catalog.checking.check, sftp_gateway.catalog.read.opening; print('duckdb' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "False"


def test_ingest_starts_its_children_before_it_loads_what_they_do_not_wait_for():
    """Until then only one core has work."""
    loaded = "import sys; import sftp_gateway.cli.ingesting; print(*{'asyncio', 'sqlalchemy', 'structlog'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == ""
