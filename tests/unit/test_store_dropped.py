"""What came from drop folders, over both stores: which upload a file may be that lies there still."""

import pytest

from sftp_gateway.store import brands, dropped, uploads
from sftp_gateway.upload import State
from tests import sent

MARKS = {"inode": 2**63 - 1, "modified_ns": 1_700_000_000_123_456_789}


@pytest.fixture
def came(store, clock):
    """Give a function that has a file come to a path by a drop folder; it gives the upload's id."""
    brands.create(store, "acme")

    def come(sha256, path="inbox/a.csv", via=dropped.VIA):
        return sent.receive(store, path=path, sha256=sha256, bytes=3, via=via, client=MARKS).id

    return come


def known(store, sha256):
    with store.write() as tx:
        return dropped.known(tx, "acme", "inbox/a.csv", sha256)


def test_a_file_is_known_until_another_came_to_its_path(store, came):
    first = came("a")
    came("b", path="inbox/b.csv")
    came("b", via="sftp")
    assert known(store, "a") == dropped.Known(first, 3, MARKS)
    assert known(store, "b") is None
    came("b")
    assert known(store, "a") is None


def test_the_marks_of_a_file_change(store, came):
    first = came("a")
    dropped.mark(store, first, {"inode": 1})
    assert known(store, "a") == dropped.Known(first, 3, {"inode": 1})


def test_the_last_of_a_path_is_what_came_there_and_not_what_was_tried_again(store, came):
    assert dropped.last(store, "acme", "inbox/a.csv") is None
    first = came("a")
    came("b")
    with store.write() as tx:
        for state in (State.PROCESSING, State.FAILED, State.REFUSED):
            uploads.move(tx, first, state)
    again = uploads.retry(store, first, "test")
    assert again.via == dropped.VIA
    assert dropped.last(store, "acme", "inbox/a.csv") == "b"
