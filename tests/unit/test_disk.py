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
