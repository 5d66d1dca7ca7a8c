"""Fetched blobs: one file for all who have the same one open, and none when nobody has."""

import os
import threading
from concurrent import futures

import pytest

from sftp_gateway.blobs.fetched import Fetched
from sftp_gateway.errors import NotFound, Unavailable

BODY = bytes(range(256)) * 1000


class Source:
    """Fetches as S3 does: into a file that loses its name at once."""

    def __init__(self, folder) -> None:
        self.folder, self.fetched = folder, []

    def __call__(self) -> int:
        path = self.folder / f"fetched-{len(self.fetched)}"
        path.write_bytes(BODY)
        descriptor = os.open(path, os.O_RDONLY)
        path.unlink()
        self.fetched.append(descriptor)
        return descriptor


def test_all_who_have_one_open_share_its_file_and_read_each_for_himself(tmp_path):
    source, blobs = Source(tmp_path), Fetched()
    readers = [blobs.open("a", source) for _ in range(20)]
    assert len(source.fetched) == 1
    assert {os.fstat(reader.fileno()).st_ino for reader in readers} == {os.fstat(source.fetched[0]).st_ino}
    assert readers[0].read(10) == BODY[:10] and readers[1].read() == BODY
    assert readers[0].seek(-5, os.SEEK_END) == len(BODY) - 5 and readers[0].read() == BODY[-5:]
    readers[0].seek(100)
    assert (readers[0].read(1), readers[0].tell()) == (BODY[100:101], 101)
    for reader in readers:
        reader.close()
        reader.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(source.fetched[0])


def test_it_is_fetched_again_after_the_last_has_left_and_after_it_was_forgotten(tmp_path):
    source, blobs = Source(tmp_path), Fetched()
    blobs.open("a", source).close()
    with blobs.open("a", source) as first:
        blobs.forget("a")
        with blobs.open("a", source) as second:
            assert second.read() == first.read() == BODY
        assert first.seek(0) == 0 and first.read() == BODY
    assert len(source.fetched) == 3


def test_a_fetch_that_fails_is_tried_by_the_next_and_leaves_nothing(tmp_path):
    source, blobs = Source(tmp_path), Fetched()

    def fails() -> int:
        raise NotFound("blobs/a is not there (any more)")

    with pytest.raises(NotFound):
        blobs.open("a", fails)
    with blobs.open("a", source) as reader:
        assert reader.read() == BODY


def test_those_who_come_while_it_is_fetched_wait_for_it(tmp_path):
    source, blobs = Source(tmp_path), Fetched()
    begun, go = threading.Event(), threading.Event()

    def slowly() -> int:
        begun.set()
        assert go.wait(10)
        return source()

    with futures.ThreadPoolExecutor(4) as threads:
        first = threads.submit(blobs.open, "a", slowly)
        assert begun.wait(10)
        others = [threads.submit(blobs.open, "a", source) for _ in range(3)]
        go.set()
        readers = [asked.result() for asked in (first, *others)]
    for reader in readers:
        with reader:
            assert reader.read() == BODY
    assert len(source.fetched) == 1


def test_those_who_waited_for_a_fetch_that_failed_do_not_wait_for_another(tmp_path):
    source, blobs = Source(tmp_path), Fetched()
    begun, go = threading.Event(), threading.Event()

    def fails() -> int:
        begun.set()
        assert go.wait(10)
        raise Unavailable("S3 does not answer for blobs/a")

    with futures.ThreadPoolExecutor(4) as threads:
        first = threads.submit(blobs.open, "a", fails)
        assert begun.wait(10)
        others = [threads.submit(blobs.open, "a", source) for _ in range(3)]
        waiting = blobs._open["a"]
        while waiting.users < 4:
            assert not first.done()
        go.set()
        for asked in (first, *others):
            with pytest.raises(Unavailable):
                asked.result()
    assert source.fetched == []
    with blobs.open("a", source) as reader:
        assert reader.read() == BODY
