"""A large file that is written behind: whole on the disk, and not kept in memory."""

import random

from sftp_gateway import disk
from tests.resident import pages_in_memory

PIECE = 3_000_001
PIECES = 20


def test_a_file_written_behind_is_whole_and_leaves_memory(tmp_path):
    path = tmp_path / "large"
    pieces = [random.Random(number).randbytes(PIECE) for number in range(PIECES)]
    with path.open("wb", buffering=0) as file:
        behind = disk.Behind(file.fileno())
        for piece in pieces:
            behind.write(memoryview(piece))
        disk.sync(file.fileno())
    assert pages_in_memory(path) < PIECE * PIECES / 2
    assert path.read_bytes() == b"".join(pieces)


def test_nothing_and_little_are_written_behind_as_they_are(tmp_path):
    path = tmp_path / "small"
    with path.open("wb", buffering=0) as file:
        behind = disk.Behind(file.fileno())
        behind.write(b"")
        behind.write(b"abc")
    assert path.read_bytes() == b"abc"


def test_what_a_file_got_is_on_its_way_from_where_the_last_time_ended(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(disk, "write_behind", lambda _, start, size: told.append((start, size)))
    path = tmp_path / "growing"
    path.write_bytes(b"a" * 70_000)
    size = disk.begun(path, 0)
    with path.open("ab") as more:
        more.write(b"b" * 5)
    assert (size, disk.begun(path, size)) == (70_000, 70_005)
    assert told == [(0, 70_000), (70_000, 5)]
