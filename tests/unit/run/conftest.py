"""A shop of one brand over the catalog steps; every test holds for small files, in memory, and for large ones on disk."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from catalog_shop import Shop, small_rules

from sftp_gateway.catalog import engine, spool, stage
from sftp_gateway.catalog.comparing import changes


@pytest.fixture(params=["in memory", "on disk"], autouse=True)
def place(request, monkeypatch):
    """Every test holds for small files, in memory, and for large ones, staged and compared on disk."""
    if request.param == "on disk":
        monkeypatch.setattr(stage, "MEMORY_BYTES", -1)
        monkeypatch.setattr(engine, "SMALL_BYTES", -1)
        monkeypatch.setattr(spool, "LIMIT_BYTES", -1)
        monkeypatch.setattr(changes, "LEAST_BYTES", 0)


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path, small_rules(tmp_path))
