"""Blobs on local disk and S3: whole or absent, kept by handles, named by us alone."""

import hashlib
import os
import shutil
import stat
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sftp_gateway import blobs, config, settings, upload_name
from sftp_gateway.blobs import Area, place
from sftp_gateway.blobs.place import place_all
from sftp_gateway.errors import Broken, ConfigError, DiskFull, NotFound, Unavailable


@pytest.fixture(params=["local", pytest.param("s3", marks=[pytest.mark.full, pytest.mark.timeout(180)])])
def any_files(request, tmp_path):
    if request.param == "local":
        return blobs.open_files(settings.Storage(root=tmp_path))
    return request.getfixturevalue("s3_files")


def staged(files, data: bytes):
    path = files.scratch("test-") / "made"
    path.write_bytes(data)
    return path


def test_what_is_kept_reads_back_whole_and_its_staged_file_is_gone(any_files):
    path = staged(any_files, b"sku\n1\n")
    assert any_files.keep(Area.CATALOG, "acme/ab12.parquet", path) == 6
    assert not path.exists()
    assert any_files.exists(Area.CATALOG, "acme/ab12.parquet")
    with any_files.open(Area.CATALOG, "acme/ab12.parquet") as handle:
        assert handle.read() == b"sku\n1\n"
    with any_files.local(Area.CATALOG, "acme/ab12.parquet") as local:
        assert local.read_bytes() == b"sku\n1\n"


def test_who_has_one_blob_lent_at_the_same_time_shares_its_file_which_outlives_its_name(any_files):
    any_files.keep(Area.CATALOG, "acme/ab12.parquet", staged(any_files, b"sku\n1\n"))
    before = set((any_files.staging / "scratch").iterdir())
    one, two = (blobs.lent(any_files, Area.CATALOG, "acme/ab12.parquet") for _ in range(2))
    with one as first, two as second:
        any_files.delete(Area.CATALOG, "acme/ab12.parquet")
        assert first.stat().st_ino == second.stat().st_ino
        assert [path.read_bytes() for path in (first, second, first)] == [b"sku\n1\n"] * 3
        assert set((any_files.staging / "scratch").iterdir()) == before
    with pytest.raises(NotFound), blobs.lent(any_files, Area.CATALOG, "acme/ab12.parquet"):
        pass


def test_many_are_kept_together_as_one_is(any_files):
    bodies = [b"%d" % number for number in range(40)]
    pairs = [(hashlib.sha256(body).hexdigest(), staged(any_files, body)) for body in bodies]
    pairs.append((pairs[0][0], staged(any_files, bodies[0])))  # the same bytes twice in a batch
    any_files.keep_all(Area.SOURCES, pairs)
    assert not any(path.exists() for _, path in pairs)
    for (name, _), body in zip(pairs, bodies, strict=False):
        with any_files.open(Area.SOURCES, name) as handle:
            assert handle.read() == body
    any_files.keep_all(Area.SOURCES, [])


def test_a_file_larger_than_a_chunk_is_kept_whole(any_files):
    data = os.urandom(1 << 20) * 21
    name = hashlib.sha256(data).hexdigest()
    any_files.keep(Area.SOURCES, name, staged(any_files, data))
    with any_files.open(Area.SOURCES, name) as handle:
        assert hashlib.sha256(handle.read()).hexdigest() == name


def test_keeping_the_same_bytes_again_changes_nothing(any_files):
    name = hashlib.sha256(b"x").hexdigest()
    for _ in range(2):
        assert any_files.keep(Area.SOURCES, name, staged(any_files, b"x")) == 1
    assert list(any_files.names(Area.SOURCES)) == [name]


def test_what_was_written_hours_ago_is_young_once_it_is_kept(any_files):
    """Retention removes old blobs without a row, and that of this one comes after it: the gateway was off, a job took long."""
    begun = datetime.now(UTC) - timedelta(minutes=1)
    path = staged(any_files, b"x")
    os.utime(path, (0, 0))
    any_files.keep(Area.SOURCES, "ab12", path)
    assert not any_files.is_older(Area.SOURCES, "ab12", begun)


def test_an_open_handle_keeps_its_bytes_when_the_name_is_deleted(any_files):
    any_files.keep(Area.RESULTS, "17-ab/errors.csv", staged(any_files, b"row 1"))
    with any_files.open(Area.RESULTS, "17-ab/errors.csv") as handle:
        any_files.delete(Area.RESULTS, "17-ab/errors.csv")
        assert not any_files.exists(Area.RESULTS, "17-ab/errors.csv")
        assert handle.read() == b"row 1"


def test_deleting_twice_is_no_error_and_reading_what_is_gone_says_so(any_files):
    any_files.delete(Area.RESULTS, "gone")
    with pytest.raises(NotFound, match="results/gone"):
        any_files.open(Area.RESULTS, "gone")
    with pytest.raises(NotFound), any_files.local(Area.RESULTS, "gone"):
        pass
    assert not any_files.exists(Area.RESULTS, "gone")


def test_a_listing_gives_names_sizes_and_ages(any_files):
    wanted = {"a/1": 1, "a/2": 2, "b": 3}
    for name, size in wanted.items():
        any_files.keep(Area.RESULTS, name, staged(any_files, b"x" * size))
    found = list(any_files.listing(Area.RESULTS))
    assert {blob.name: blob.bytes for blob in found} == wanted
    assert all(blob.modified_at.tzinfo for blob in found)
    assert list(any_files.names(Area.SOURCES)) == []


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../b", "", ".hidden", "a//b", "a\x00b", "a b", "a/.."])
def test_a_name_that_is_not_ours_never_becomes_a_path(files, name):
    with pytest.raises(Broken):
        files.exists(Area.CATALOG, name)


def test_sources_are_spread_so_that_no_directory_grows_without_end(files, tmp_path):
    name = hashlib.sha256(b"y").hexdigest()
    files.keep(Area.SOURCES, name, staged(files, b"y"))
    assert (tmp_path / "blobs" / name[:2] / name).is_file()
    assert list(files.names(Area.SOURCES)) == [name]
    files.delete(Area.SOURCES, name)
    assert list(files.names(Area.SOURCES)) == []


def test_an_upload_whose_results_are_gone_leaves_no_directory(files, tmp_path):
    for name in ("17-ab/errors.csv", "17-ab/corrections.csv", "17/x.json", "top"):
        files.keep(Area.RESULTS, name, staged(files, b"x"))
    files.delete(Area.RESULTS, "17-ab/errors.csv")
    assert (tmp_path / "results" / "17-ab" / "corrections.csv").is_file()
    for name in ("17-ab/corrections.csv", "17/x.json", "top", "18/never.was"):
        files.delete(Area.RESULTS, name)
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_directory_that_goes_while_a_file_is_on_its_way_there_is_made_again(files, tmp_path, monkeypatch, elsewhere):
    """The last file in it is deleted between the look for the directory and the move into it."""
    files.keep(Area.RESULTS, "acme/old", staged(files, b"old"))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        path = Path(memory) / "made" if elsewhere else staged(files, b"")
        path.write_bytes(b"new")
        if elsewhere and Path(memory).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("/dev/shm is on the file system of the tests")
        step, name = (shutil, "copyfile") if elsewhere else (Path, "chmod")
        real = getattr(step, name)

        def deleting(*given):
            if files.exists(Area.RESULTS, "acme/old"):
                files.delete(Area.RESULTS, "acme/old")
                assert not (tmp_path / "results" / "acme").exists()
            return real(*given)

        monkeypatch.setattr(step, name, deleting)
        assert files.keep(Area.RESULTS, "acme/new", path) == 3
    with files.open(Area.RESULTS, "acme/new") as handle:
        assert handle.read() == b"new"


def test_a_listing_goes_on_where_directories_go_while_it_is_read(files):
    for number in range(20):
        files.keep(Area.RESULTS, f"{number}/x", staged(files, b"x"))
    seen = []
    for name in files.names(Area.RESULTS):
        seen.append(name)
        files.delete(Area.RESULTS, name)
    assert len(seen) == 20 and list(files.names(Area.RESULTS)) == []


def test_what_is_kept_cannot_be_written_by_accident(files, tmp_path):
    files.keep(Area.CATALOG, "v", staged(files, b"x"))
    assert stat.S_IMODE((tmp_path / "catalog" / "v").stat().st_mode) == 0o440


def test_place_syncs_the_file_before_the_rename_and_the_directory_after_it(tmp_path, monkeypatch):
    calls = []
    real_sync, real_rename = os.fsync, os.rename
    monkeypatch.setattr(
        os, "fsync", lambda fd: (calls.append(str(Path(f"/proc/self/fd/{fd}").readlink())), real_sync(fd))[1]
    )
    monkeypatch.setattr(
        type(tmp_path), "replace", lambda self, to: (calls.append("rename"), real_rename(self, to), to)[2]
    )
    tmp = tmp_path / "staged"
    tmp.write_bytes(b"x")
    (tmp_path / "area").mkdir()
    place(tmp, tmp_path / "area" / "final")
    assert calls == [str(tmp_path / "staged"), "rename", str(tmp_path / "area")]


@pytest.mark.parametrize(("number", "wanted"), [(28, DiskFull), (122, DiskFull), (5, Unavailable), (30, Unavailable)])
def test_a_file_that_could_not_be_synced_is_thrown_away_and_never_synced_again(tmp_path, monkeypatch, number, wanted):
    tries = []

    def fails(fd):
        tries.append(fd)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    tmp = tmp_path / "staged"
    tmp.write_bytes(b"x")
    with pytest.raises(wanted):
        place(tmp, tmp_path / "final")
    assert len(tries) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_second_name_of_the_blob_itself_is_gone_afterwards_too(tmp_path):
    """As after a claim that died between its blob and its row: a rename onto the same file does nothing (rename(2))."""
    final, tmp = tmp_path / "area" / "final", tmp_path / "staged.claim"
    final.parent.mkdir()
    final.write_bytes(b"x")
    tmp.hardlink_to(final)
    place(tmp, final)
    assert final.read_bytes() == b"x" and not tmp.exists()


def test_when_one_of_many_cannot_be_synced_none_has_its_name_and_none_is_left(tmp_path, monkeypatch):
    real, seen = os.fsync, []

    def fails(fd):
        name = Path(f"/proc/self/fd/{fd}").readlink().name
        seen.append(name)
        if name == "staged-7":
            raise OSError(5, os.strerror(5))
        real(fd)

    monkeypatch.setattr(os, "fsync", fails)
    moves = [(tmp_path / f"staged-{number}", tmp_path / "area" / f"final-{number}") for number in range(16)]
    (tmp_path / "area").mkdir()
    for tmp, _ in moves:
        tmp.write_bytes(b"x")
    with pytest.raises(Unavailable):
        place_all(moves)
    assert seen.count("staged-7") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["area"]


def test_place_copies_where_staging_is_on_another_file_system(tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        tmp, final = Path(memory) / "staged", tmp_path / "area" / "final"
        if Path(memory).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("/dev/shm is on the file system of the tests")
        tmp.write_bytes(b"x" * 1000)
        place(tmp, final)
        assert final.read_bytes() == b"x" * 1000
        assert [path.name for path in final.parent.iterdir()] == ["final"]
        assert not tmp.exists()


def test_scratch_directories_are_new_empty_and_under_staging(files):
    first, second = files.scratch("job-"), files.scratch("job-")
    assert first != second
    assert first.is_relative_to(files.staging)
    assert list(first.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("catalog.csv", "catalog.csv"),
        ("Frühling 2026.csv", "Fr_hling_2026.csv"),
        ("../../etc/passwd", "__.._etc_passwd"),
        (".htaccess", "_htaccess"),
        ("", "_"),
        ("a" * 200 + ".csv.gz", "a" * 147 + ".gz"),
    ],
)
def test_a_name_from_outside_becomes_safe(name, wanted):
    assert upload_name.safe(name) == wanted


def test_another_place_than_disk_or_s3_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"STORAGE__FILES: .ftp:"):
        config.load(None, {"SFTP_GATEWAY_STORAGE__FILES": "ftp://x"})
