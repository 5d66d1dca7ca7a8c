"""Checksum and marker files in drop folders: which file they speak of, and what becomes of them."""

import asyncio
import hashlib

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.store import brands
from sftp_gateway.upload import State

BODY = b"sku,name\n1,one\n"


def told(kind, body):
    return f"{hashlib.new(kind, body).hexdigest()}  a.csv\n"


@pytest.mark.parametrize("written", [".done", ".DONE"])
@pytest.mark.parametrize("marker_first", [True, False])
async def test_a_marker_is_no_upload_and_goes_with_its_file(house, drop, written, marker_first):
    brands.save_settings(house.store, "acme", BrandSettings(marker=".done"))
    inbox = drop.folder / "acme" / "inbox"
    names = [f"a.csv{written}", "a.csv"] if marker_first else ["a.csv", f"a.csv{written}"]
    for name in names:
        (inbox / name).write_bytes(BODY if name == "a.csv" else b"")
    await house.until(lambda: not any(inbox.iterdir()))
    assert [(upload.path, upload.state) for upload in house.history()] == [("inbox/a.csv", State.RECEIVED)]


async def test_a_marker_that_waits_for_its_file_is_no_upload(house, drop):
    brands.save_settings(house.store, "acme", BrandSettings(marker=".done"))
    inbox = drop.folder / "acme" / "inbox"
    (inbox / "a.csv.done").touch()
    (inbox / "b.csv").write_bytes(BODY)
    (inbox / "b.csv.done").touch()
    await house.until(lambda: [file.name for file in inbox.iterdir()] == ["a.csv.done"])
    await asyncio.to_thread(drop.look)
    (inbox / "a.csv").write_bytes(BODY)
    await house.until(lambda: not any(inbox.iterdir()))
    assert [upload.path for upload in house.history()] == ["inbox/b.csv", "inbox/a.csv"]


async def test_all_companions_of_a_refused_file_go_with_it(house, drop):
    brands.save_settings(house.store, "acme", BrandSettings(marker=".done"))
    inbox = drop.folder / "acme" / "inbox"
    (inbox / "a.csv.sha256").write_text("1" * 64)
    (inbox / "a.csv.md5").write_text(told("md5", BODY))
    (inbox / "a.csv.done").touch()
    (inbox / "a.csv").write_bytes(BODY)
    await house.state(State.REFUSED)
    await house.until(lambda: not any(inbox.iterdir()))
