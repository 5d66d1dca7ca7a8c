import os
import threading

import pytest

from sftp_gateway import errors
from sftp_gateway.settings import Limits
from sftp_gateway.sftp import unwritten
from sftp_gateway.sftp.allowance import Allowance
from sftp_gateway.sftp.draft import Draft
from sftp_gateway.sftp.unwritten import SMALL_BYTES, Unwritten
from sftp_gateway.store.staging import Staging
from tests.unit.test_draft import AT, Entry, Place


@pytest.fixture
def staging(tmp_path):
    return Staging(tmp_path)


@pytest.fixture
def memory(staging):
    return Unwritten(staging)


@pytest.fixture
def draft(staging, memory):
    room = Allowance(Limits(quota_bytes=1 << 30, quota_files=9, max_file_bytes=1 << 30))
    made = Draft(Entry("d", "acme", "inbox/d", "d", Place.OPEN, 0, AT, AT, AT), staging.folder, room, memory)
    made.create()
    yield made
    made.close()


def test_a_small_draft_has_no_file_until_somebody_needs_one(draft, memory):
    draft.write(4, b"tail")
    draft.write(0, b"head")
    draft.truncate(6)
    assert draft.read(0, 10) == b"headta" and not draft.file.exists() and memory.bytes == 6
    draft.put_down()
    assert draft.file.read_bytes() == b"headta" and draft.read(2, 2) == b"ad" and memory.bytes == 0
    draft.truncate(8)
    assert draft.file.read_bytes() == b"headta\0\0"


def test_a_draft_that_grows_goes_on_in_a_file(draft, memory):
    draft.write(0, b"a" * SMALL_BYTES)
    assert not draft.file.exists()
    draft.append(b"b")
    assert draft.file.stat().st_size == draft.size == SMALL_BYTES + 1 and memory.bytes == 0


def test_cutting_a_small_draft_far_longer_makes_a_file_with_a_hole(draft, memory):
    draft.write(0, b"a")
    draft.truncate(SMALL_BYTES + 5)
    assert draft.file.stat().st_size == SMALL_BYTES + 5 and memory.bytes == 0


def test_memory_is_bounded_and_what_finds_no_room_has_a_file(draft, memory, monkeypatch):
    monkeypatch.setattr(unwritten, "MOST_BYTES", 10)
    draft.write(0, b"a" * 10)
    assert not draft.file.exists()
    draft.write(10, b"b")
    assert draft.file.read_bytes() == b"a" * 10 + b"b" and memory.bytes == 0


def test_the_room_of_a_closed_draft_is_free_when_its_file_is_there(draft, memory, staging):
    draft.write(0, b"abc")
    memory.keep("d", draft.take())
    draft.close()
    assert memory.bytes == 3
    memory.put_down("d")
    memory.put_down("d")
    assert staging.file("d").read_bytes() == b"abc" and memory.bytes == 0


def test_nobody_waits_for_a_file_that_is_being_made(draft, memory, monkeypatch):
    """To make a file may take milliseconds, and whoever takes room is the event loop."""
    draft.write(0, b"abc")
    memory.keep("d", draft.take())
    making, go_on, real = threading.Event(), threading.Event(), os.pwrite

    def slow(*args):
        making.set()
        assert go_on.wait(10)
        return real(*args)

    monkeypatch.setattr(os, "pwrite", slow)
    ledger = threading.Thread(target=memory.put_down, args=["d"])
    ledger.start()
    assert making.wait(10)
    loop = threading.Thread(target=lambda: (memory.takes(5), memory.keep("e", b"12345"), memory.give_back(0)))
    loop.start()
    loop.join(30)
    waited = loop.is_alive()
    go_on.set()
    for thread in (loop, ledger):
        thread.join()
    assert not waited and memory.bytes == 5


def test_bytes_that_a_full_disk_does_not_take_are_kept_and_leave_no_half_file(draft, memory, staging, monkeypatch):
    draft.write(0, b"abc")
    memory.keep("d", draft.take())

    def full(*_):
        raise OSError(28, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(errors.Unavailable):
            memory.put_down("d")
    assert not staging.file("d").exists() and memory.bytes == 3
    memory.put_down("d")
    assert staging.file("d").read_bytes() == b"abc"


def test_a_draft_that_is_thrown_away_gives_its_room_back(draft, memory):
    draft.write(0, b"abc")
    draft.discard()
    assert memory.bytes == 0 and not draft.file.exists()
