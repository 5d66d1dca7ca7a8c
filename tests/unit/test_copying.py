"""A file that the shell takes in: the copy is what was hashed, whatever the file system can do; nothing is left of a failure."""

import errno
import hashlib
import os

import pytest

from sftp_gateway import blobs, disk, settings
from sftp_gateway.blobs import Area
from sftp_gateway.catalog.read.packing.unpack import Packed
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.cli import copying
from sftp_gateway.cli.copying import Copy
from sftp_gateway.errors import Refused
from tests.resident import pages_in_memory

BODY = os.urandom(3_000_001)


@pytest.fixture
def files(tmp_path):
    return blobs.open_files(settings.Storage(root=tmp_path / "root"))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(copying, "CHUNK_BYTES", 1_000_000)
    monkeypatch.setattr(copying, "HASHED_BYTES", 300_000)


def staged(files):
    return [path for path in files.staging.iterdir() if path.is_file()]


@pytest.mark.parametrize("refusal", [None, errno.EINVAL, errno.ENOSYS])
@pytest.mark.parametrize("body", [BODY, b"x", b""])
def test_a_copy_is_whole_and_its_hash_is_that_of_the_copy(tmp_path, files, monkeypatch, refusal, body):
    def cannot(*_):
        raise OSError(refusal, os.strerror(refusal))

    if refusal:
        monkeypatch.setattr(os, "sendfile", cannot)
    path, told = tmp_path / "a.csv", []
    path.write_bytes(body)
    with Copy(path, files, lambda stage, share: told.append(share), most=10_000_000) as copy:
        copy.keep()
        assert copy.bytes == len(body) and copy.sha256 == hashlib.sha256(body).hexdigest()
    with files.open(Area.SOURCES, copy.sha256) as kept:
        assert kept.read() == body
    assert staged(files) == [] and told == sorted(told)


def test_a_large_copy_is_whole_and_stays_in_memory_neither_when_copied_nor_when_read(tmp_path, files, monkeypatch):
    monkeypatch.setattr(disk, "LARGE_BYTES", 2_000_000)
    monkeypatch.setattr(disk, "_BEHIND_BYTES", 500_000)
    path, body = tmp_path / "a.csv", b"sku,name\n" + b"1,plain\n" * 1_000_000
    path.write_bytes(body)
    with Copy(path, files, lambda *_: None, most=10_000_000) as copy:
        copy.keep()
    assert copy.sha256 == hashlib.sha256(body).hexdigest()
    with files.local(Area.SOURCES, copy.sha256) as kept:
        assert pages_in_memory(kept) < len(body) / 2
        assert b"".join(Packed(kept, None, Hints()).blocks(1_000_000)) == body
        assert pages_in_memory(kept) < len(body) / 2


def test_an_error_on_the_way_is_raised_and_leaves_nothing(tmp_path, files, monkeypatch):
    def failing(*_):
        raise OSError(errno.EIO, "disk on fire")

    path = tmp_path / "a.csv"
    path.write_bytes(BODY)
    for call in ("sendfile", "pread", "fsync"):
        with monkeypatch.context() as patched, pytest.raises(OSError, match="on fire"):
            patched.setattr(os, call, failing)
            with Copy(path, files, lambda *_: None, most=10_000_000) as copy:
                copy.keep()
        assert staged(files) == [], call


def test_a_file_that_grows_over_the_limit_meanwhile_is_refused(tmp_path, files, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_bytes(BODY)
    real = os.sendfile

    def growing(target, source, offset, count):
        with path.open("ab") as more:
            more.write(b"x" * count)
        return real(target, source, offset, count)

    monkeypatch.setattr(os, "sendfile", growing)
    with pytest.raises(Refused, match="at most"), Copy(path, files, lambda *_: None, most=4_000_000) as copy:
        copy.keep()
    assert staged(files) == []
