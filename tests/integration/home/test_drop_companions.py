"""Checksum and marker files in drop folders: which file they speak of, and what becomes of them."""

import asyncio
import hashlib

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.store import brands
from sftp_gateway.upload import State

BODY = b"sku,name\n1,one\n"
NEXT = b"sku,name\n2,two\n"


def told(kind, body):
    return f"{hashlib.new(kind, body).hexdigest()}  a.csv\n"


@pytest.mark.parametrize("written", [".done", ".DONE"])
@pytest.mark.parametrize("marker_first", [True, False])
async def test_a_marker_is_no_upload_and_goes_with_its_file(house, drop, written, marker_first):
    brands.change_settings(house.store, "acme", lambda _: BrandSettings(marker=".done"))
    inbox = drop.folder / "acme" / "inbox"
    names = [f"a.csv{written}", "a.csv"] if marker_first else ["a.csv", f"a.csv{written}"]
    for name in names:
        (inbox / name).write_bytes(BODY if name == "a.csv" else b"")
    await house.until(lambda: not any(inbox.iterdir()))
    assert [(upload.path, upload.state) for upload in house.history()] == [("inbox/a.csv", State.RECEIVED)]


async def test_a_marker_that_waits_for_its_file_is_no_upload(house, drop):
    brands.change_settings(house.store, "acme", lambda _: BrandSettings(marker=".done"))
    inbox = drop.folder / "acme" / "inbox"
    (inbox / "a.csv.done").touch()
    (inbox / "b.csv").write_bytes(BODY)
    (inbox / "b.csv.done").touch()
    await house.until(lambda: [file.name for file in inbox.iterdir()] == ["a.csv.done"])
    await asyncio.to_thread(house.go_through, drop)
    (inbox / "a.csv").write_bytes(BODY)
    await house.until(lambda: not any(inbox.iterdir()))
    assert [upload.path for upload in house.history()] == ["inbox/b.csv", "inbox/a.csv"]


async def test_all_companions_of_a_refused_file_go_with_it(house, drop):
    brands.change_settings(house.store, "acme", lambda _: BrandSettings(marker=".done"))
    inbox = drop.folder / "acme" / "inbox"
    (inbox / "a.csv.sha256").write_text("1" * 64)
    (inbox / "a.csv.md5").write_text(told("md5", BODY))
    (inbox / "a.csv.done").touch()
    (inbox / "a.csv").write_bytes(BODY)
    await house.state(State.REFUSED)
    await house.until(lambda: not any(inbox.iterdir()))


async def left(house, drop, name):
    """Wait until a companion was looked at and left for the next file."""
    await house.until(lambda: any(found.name == name for found in drop.taker.left))


@pytest.mark.parametrize("kind", ["sha256", "md5"])
@pytest.mark.parametrize("body", [BODY, NEXT], ids=["same", "other"])
async def test_a_checksum_that_comes_after_its_file_was_taken_says_nothing_of_the_next_one(house, drop, kind, body):
    inbox = drop.folder / "acme" / "inbox"
    (inbox / "a.csv").write_bytes(BODY)
    await house.until(lambda: not (inbox / "a.csv").exists())
    (inbox / f"a.csv.{kind}").write_text(told(kind, BODY))
    await house.until(lambda: not any(inbox.iterdir()))
    (inbox / "a.csv").write_bytes(body)
    await house.received(2)
    assert [upload.state for upload in house.history()] == [State.RECEIVED, State.RECEIVED]


@pytest.mark.parametrize("right", [True, False])
async def test_a_checksum_that_does_not_fit_the_file_before_waits_for_the_next_one(house, drop, right):
    inbox = drop.folder / "acme" / "inbox"
    (inbox / "a.csv").write_bytes(BODY)
    await house.until(lambda: not (inbox / "a.csv").exists())
    (inbox / "a.csv.sha256").write_text(told("sha256", NEXT if right else b"other"))
    await left(house, drop, "a.csv.sha256")
    (inbox / "a.csv").write_bytes(NEXT)
    await house.until(lambda: not any(inbox.iterdir()))
    end = State.RECEIVED if right else State.REFUSED
    assert [upload.state for upload in house.history()] == [State.RECEIVED, end]


async def test_a_checksum_of_an_earlier_file_than_the_last_is_not_late(house, drop):
    """Who puts an older catalog back may send its checksum first."""
    inbox = drop.folder / "acme" / "inbox"
    for body in (BODY, NEXT):
        (inbox / "a.csv").write_bytes(body)
        await house.until(lambda: not (inbox / "a.csv").exists())
    (inbox / "a.csv.sha256").write_text(told("sha256", BODY))
    await left(house, drop, "a.csv.sha256")
    (inbox / "a.csv").write_bytes(BODY)
    await house.until(lambda: not any(inbox.iterdir()))
    assert {upload.state for upload in house.history()} == {State.RECEIVED}


async def test_a_marker_that_comes_after_its_file_was_taken_goes(house, drop):
    brands.change_settings(house.store, "acme", lambda _: BrandSettings(marker=".done"))
    inbox = drop.folder / "acme" / "inbox"
    (inbox / "a.csv").write_bytes(BODY)
    await house.until(lambda: not (inbox / "a.csv").exists())
    (inbox / "a.csv.done").touch()
    await house.until(lambda: not any(inbox.iterdir()))
    assert len(house.history()) == 1


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-8-sig"])
async def test_a_checksum_beside_a_file_is_compared_if_powershell_wrote_it_too(house, drop, encoding, right):
    inbox = drop.folder / "acme" / "inbox"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (inbox / "a.csv.sha256").write_bytes((mark + told("sha256", BODY if right else NEXT)).encode(encoding))
    (inbox / "a.csv").write_bytes(BODY)
    upload = await house.state(State.RECEIVED if right else State.REFUSED)
    assert right or "says " + hashlib.sha256(NEXT).hexdigest() in upload.reasons[0]["text"]
