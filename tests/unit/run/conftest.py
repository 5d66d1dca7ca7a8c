"""A shop of one brand over the catalog steps; every test holds for small files, in memory, and for large ones on disk."""

import pytest

from sftp_gateway.catalog import engine, spool, stage
from tests.catalog_shop import Shop, small_rules

ROWS = {"damaged", "ends", "numbers", "other_types", "returned", "typed_cells"}
"""Files of tests (test_run_….py) of what rows hold and what is said of them: the same wherever they are compared."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let every test hold in memory and on disk; those of rows do so on disk in `make test-all`."""
    if "place" in metafunc.fixturenames and not hasattr(metafunc.module, "place"):
        rows = metafunc.module.__name__.rpartition("test_run_")[2] in ROWS
        disk = pytest.param("on disk", marks=pytest.mark.full if rows else ())
        metafunc.parametrize("place", ["in memory", disk], indirect=True)


@pytest.fixture(autouse=True)
def place(request, monkeypatch):
    """Hold a test for small files, in memory, or for large ones, staged and compared on disk."""
    if request.param == "on disk":
        monkeypatch.setattr(stage, "MEMORY_BYTES", -1)
        monkeypatch.setattr(engine, "SMALL_BYTES", -1)
        monkeypatch.setattr(spool, "LIMIT_BYTES", -1)


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path, small_rules(tmp_path))
