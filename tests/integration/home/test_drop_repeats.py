"""The same file in a drop folder once more: what a crash left there is only removed, all else is an upload."""

import asyncio
import os
import sys

import pytest

from sftp_gateway.intake import dropped
from sftp_gateway.intake.folder import Found, Look
from sftp_gateway.store import dropped as stored
from sftp_gateway.store import uploads
from sftp_gateway.upload import State

BODY = b"sku,name\n1,one\n"
OTHER = b"sku,name\n2,two\n"


class Died(BaseException):
    """The process ended here."""


def taker_of(house, place):
    return dropped.Taker(house.store, house.files, place, lambda: None)


def take(taker, found):
    """Take a file as it lies there now."""
    file = taker.folder / found.brand / found.path
    return taker.take(found, Look.of(file.stat()), 1000) if file.exists() else None


def link(kept, file):
    """Link a file, later than at any moment that it shows by now: the clock of a file system stands for some ms."""
    before = kept.stat()
    file.hardlink_to(kept)
    while file.stat().st_ctime_ns == before.st_ctime_ns:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def dying_at(line, *modules):
    """Die when so many lines of these modules were run."""
    files, lines = {module.__file__ for module in modules}, iter(range(line))

    def trace(frame, event, _):
        if frame.f_code.co_filename not in files:
            return None
        if event == "line" and next(lines, None) is None:
            sys.settrace(None)
            raise Died
        return trace

    return trace


async def test_a_file_that_comes_again_is_an_upload_again_though_it_is_the_very_same_file(house, drop, tmp_path):
    """By hard links; on a small file system of its own `cp -p` gives the number of an inode that just went, too."""
    inbox, wanted = drop.folder / "acme" / "inbox", []
    for body in (BODY, OTHER, BODY, BODY):
        kept = tmp_path / f"{body[-2]}.csv"
        kept.write_bytes(body) if not kept.exists() else None
        (inbox / "a.csv").hardlink_to(kept)
        await house.until(lambda: not (inbox / "a.csv").exists())
        wanted.append(body)
        assert [house.bytes_of(upload) for upload in house.history()] == wanted


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # who dies closes no files
@pytest.mark.parametrize("checksum", [False, True])
async def test_a_file_is_received_once_between_whichever_lines_the_process_dies_and_again_when_it_comes_again(
    house, tmp_path, checksum
):
    place, kept = tmp_path / "drop", tmp_path / "kept.csv"
    kept.write_bytes(BODY)
    inbox = place / "acme" / "inbox"
    inbox.mkdir(parents=True)

    def lives_and_dies(name, line):
        file, found = inbox / name, Found("acme", "inbox", name)
        if checksum:
            (inbox / f"{name}.sha256").write_text("1" * 64)
        link(kept, file)
        sys.settrace(dying_at(line, dropped, stored))
        try:
            take(taker_of(house, place), found)
        except Died:
            died = True
        else:
            died = False
        finally:
            sys.settrace(None)
        take(taker_of(house, place), found)
        assert not any(inbox.iterdir())
        states = [upload.state for upload in house.history() if upload.path == found.path]
        assert states == [State.REFUSED if checksum else State.RECEIVED]
        link(kept, file)
        take(taker_of(house, place), found)
        assert [upload.path for upload in house.history()].count(found.path) == 2
        return died

    line = 0
    while await asyncio.to_thread(lives_and_dies, f"{line}.csv", line):
        line += 1
    assert line > 40


async def test_a_file_that_could_not_be_removed_is_no_new_one_when_its_rights_were_mended(house, tmp_path, monkeypatch):
    place, found = tmp_path / "drop", Found("acme", "inbox", "a.csv")
    file = place / "acme" / "inbox" / "a.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(BODY)

    unlink = os.unlink

    def forbidden(path, **named):
        if path == "a.csv":
            raise PermissionError(1, "Operation not permitted")
        unlink(path, **named)

    with monkeypatch.context() as patched:
        patched.setattr("os.unlink", forbidden)
        take(taker_of(house, place), found)
    file.chmod(0o640)  # chattr and chown change the time of its inode, as this does
    take(taker_of(house, place), found)
    assert not file.exists()
    assert len(house.history()) == 1


async def test_a_file_whose_rights_change_while_it_is_taken_is_received_once(house, tmp_path, monkeypatch):
    place, found = tmp_path / "drop", Found("acme", "inbox", "a.csv")
    file = place / "acme" / "inbox" / "a.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(BODY)
    receive = uploads.receive

    def received(*about, **named):
        upload = receive(*about, **named)
        os.utime(file, ns=(1, file.stat().st_mtime_ns))
        return upload

    with monkeypatch.context() as patched:
        patched.setattr(uploads, "receive", received)
        take(taker_of(house, place), found)
    take(taker_of(house, place), found)
    assert not file.exists()
    assert len(house.history()) == 1


async def test_a_file_too_large_that_comes_again_after_it_was_taken_away_is_told_again(house, drop, tmp_path):
    kept, file = tmp_path / "kept.csv", drop.folder / "acme" / "inbox" / "a.csv"
    kept.write_bytes(b"x" * 1001)
    for count in (1, 2):
        file.hardlink_to(kept)
        await house.received(count)
        await house.until(lambda: drop.taker.left)
        file.unlink()
        await house.until(lambda: not drop.taker.left)
