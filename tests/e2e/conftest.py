"""Writes docs/clients.md from the cells of the client matrix that ran, when `make clients` asks for it."""

import os
from pathlib import Path

import pytest

PAGE = os.environ.get("SFTP_GATEWAY_CLIENTS_PAGE", "")
outcomes: dict[tuple[str, str], bool] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    marker = item.get_closest_marker("cell")
    if PAGE and marker is not None and (report.when == "call" or not report.passed):
        outcomes[marker.args] = outcomes.get(marker.args, True) and report.passed
    return report


def pytest_sessionfinish():
    if PAGE:
        from clients import matrix

        Path(PAGE).write_text(matrix.page(outcomes))
