import asyncio
import contextlib
import hashlib
import os
import shutil

import pytest

from sftp_gateway import settings
from sftp_gateway.errors import Unavailable
from sftp_gateway.intake import folder, watch
from sftp_gateway.upload import Mode, State
from tests import sent

BODY = b"sku,name\n1,one\n"


@pytest.mark.parametrize(("top", "mode"), [("inbox", Mode.FULL), ("partial", Mode.PARTIAL), ("test", Mode.TEST)])
async def test_a_file_at_rest_is_taken_once_and_removed(house, drop, top, mode):
    file = drop.folder / "acme" / top / "a b.csv"
    file.write_bytes(BODY)
    (upload,) = await house.received(1)
    await house.until(lambda: not file.exists())
    assert (upload.path, upload.mode, upload.via, upload.complete) == (f"{top}/a b.csv", mode, "drop", True)
    assert (upload.bytes, upload.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert house.bytes_of(upload) == BODY


async def test_a_file_that_still_grows_is_left_alone(house, drop_folder, tmp_path):
    # Time enough for a slow machine between two pieces; all of them take longer than it.
    async with drop_folder(tmp_path / "drop", quiet_seconds=1.0) as drop:
        file = drop.folder / "acme" / "inbox" / "a.csv"
        with file.open("wb") as out:
            for _ in range(8):
                out.write(BODY)
                out.flush()
                await asyncio.sleep(0.2)
                assert not house.history()
        (upload,) = await house.received(1)
    assert house.bytes_of(upload) == BODY * 8


async def put_link(place, target):
    """Put a link where the gateway has a directory, which it makes again when it looks."""
    async with asyncio.timeout(30):
        while not place.is_symlink():
            place.rmdir()
            with contextlib.suppress(FileExistsError):
                place.symlink_to(target)
            await asyncio.sleep(0)


async def test_links_pipes_directories_and_temporary_names_are_never_taken(house, drop, tmp_path):
    inbox = drop.folder / "acme" / "inbox"
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (inbox / "link.csv").symlink_to(secret)
    os.mkfifo(inbox / "pipe.csv")
    (inbox / "folder.csv").mkdir()
    (inbox / ".hidden.csv").write_bytes(BODY)
    (inbox / "a.csv.filepart").write_bytes(BODY)
    await put_link(drop.folder / "acme" / "partial", tmp_path)
    (drop.folder / "stranger" / "inbox").mkdir(parents=True)
    (drop.folder / "stranger" / "inbox" / "a.csv").write_bytes(BODY)
    (inbox / "z.csv").write_bytes(BODY)
    (upload,) = await house.received(1)
    await house.until(lambda: not (inbox / "z.csv").exists())
    await asyncio.to_thread(house.go_through, drop)
    assert [one.path for one in house.history()] == ["inbox/z.csv"]
    assert secret.read_bytes() == b"secret" and upload.bytes == len(BODY)
    assert (inbox / "link.csv").is_symlink()


async def test_a_file_received_before_a_crash_is_only_removed(house, drop):
    file = drop.folder / "acme" / "inbox" / "a.csv"
    file.write_bytes(BODY)
    look = watch.Look.of(file.stat())
    found = watch.Found("acme", "inbox", "a.csv")
    copy = house.files.scratch() / "copy"
    copy.write_bytes(BODY)
    drop.taker._receive(found, look, copy, hashlib.sha256(BODY).hexdigest(), None)  # and then the power fails
    await house.until(lambda: not file.exists())
    assert len(house.history()) == 1


async def test_two_processes_that_look_at_once_make_one_upload_of_a_file(house, tmp_path, monkeypatch):
    """`run --take-over` looks into the folders while the old process still drains, which does as well."""
    old, new = (
        watch.Drop(house.store, house.files, tmp_path / "drop", settings.Intake(), 1000, lambda: None) for _ in range(2)
    )
    async with old, new:
        old.look()  # makes the folders
        file = new.folder / "acme" / "inbox" / "a.csv"
        file.write_bytes(BODY)
        found, rested = folder.Found("acme", "inbox", "a.csv"), (folder.Look.of(file.stat()), 0.0)
        old._seen[found] = new._seen[found] = rested
        real = folder.copied

        def copied(*about):
            sha256 = real(*about)
            monkeypatch.setattr(folder, "copied", real)
            house.go_through(old)
            return sha256

        monkeypatch.setattr(folder, "copied", copied)
        await asyncio.to_thread(house.go_through, new)
        (upload,) = house.history()
        assert house.bytes_of(upload) == BODY and not file.exists()
        assert not any(part._promised or part.taker._copies for part in (old, new))


async def test_a_checksum_in_capitals_beside_a_dropped_file_is_compared_and_goes_with_it(house, drop):
    inbox = drop.folder / "acme" / "inbox"
    (inbox / "a.csv.SHA256").write_text("1" * 64)
    (inbox / "a.csv").write_bytes(BODY)
    await house.state(State.REFUSED)
    await house.until(lambda: not any(inbox.iterdir()))


def test_of_a_file_that_grows_while_it_is_copied_no_more_is_copied_than_was_looked_at(tmp_path):
    """Else whoever writes on, or makes a hole of a terabyte, fills the disk whatever the limit of a file is."""
    file, copy = tmp_path / "a.csv", tmp_path / "copy"
    file.write_bytes(b"sku\nA\n")
    look = folder.Look.of(file.stat())
    os.truncate(file, 64 << 20)
    with folder.opened(tmp_path) as directory:
        assert folder.copied(directory, "a.csv", look, copy) is None
    assert copy.stat().st_size <= look.bytes + folder.BLOCK_BYTES


async def test_a_gateway_that_stops_waits_for_no_copy_of_a_large_file(house, drop_folder, tmp_path):
    """It comes to be taken at the next start; a copy of 10 GiB takes minutes, and a stop has seconds."""
    async with drop_folder(tmp_path / "drop", quiet_seconds=60) as part:
        file = part.folder / "acme" / "inbox" / "a.csv"
        file.write_bytes(BODY)
    look = folder.Look.of(file.stat())
    part._seen[found := folder.Found("acme", "inbox", "a.csv")] = (look, 0.0)
    house.go_through(part)
    assert file.exists() and not house.history(), "begins none"
    assert part.taker.take(found, look, 1000) is False
    assert file.exists() and not house.history(), "ends the one that it is at"


async def test_a_gateway_that_stops_waits_for_no_other_hash_of_a_large_file(house, drop_folder, tmp_path, monkeypatch):
    """A checksum beside it may be of another kind: that hash takes as long as the copy did."""
    async with drop_folder(tmp_path / "drop", quiet_seconds=60) as part:
        file = part.folder / "acme" / "inbox" / "a.csv"
        file.write_bytes(BODY)
        file.with_name("a.csv.md5").write_text(hashlib.md5(BODY).hexdigest())
        real = folder.copied

        def copied(*about):
            sha256 = real(*about)
            part.taker.stopping.set()
            return sha256

        monkeypatch.setattr(folder, "copied", copied)
        with pytest.raises(Unavailable):
            part.taker.take(folder.Found("acme", "inbox", "a.csv"), folder.Look.of(file.stat()), 1000)
        assert file.exists() and not house.history()


async def test_a_file_too_large_stays_where_it_is_and_is_refused_once_in_the_history(house, drop, log_lines):
    file = drop.folder / "acme" / "inbox" / "a.csv"
    file.write_bytes(b"x" * 1001)
    upload = await house.state(State.REFUSED)
    assert (upload.path, upload.bytes, upload.via) == ("inbox/a.csv", 1001, "drop")
    assert [(reason["code"], reason["text"]) for reason in upload.reasons] == [
        ("FILE_TOO_LARGE", "The file has 1,001 bytes; at most 1,000 are taken in one file")
    ]
    await house.until(lambda: drop.taker.left)  # the history has it a moment before
    drop.taker.left.clear()  # as after a restart
    await asyncio.to_thread(house.go_through, drop)
    await asyncio.to_thread(house.go_through, drop)
    assert file.exists() and len(house.history()) == 1
    assert [line["bytes"] for line in log_lines if line["event"] == "drop.too_large"] == [1001]


async def test_a_file_that_may_not_be_read_is_told_once_and_taken_when_it_may(house, drop, log_lines, monkeypatch):
    real, tries = os.open, []

    def forbidden(path, *arguments, **named):
        if path == "a.csv":  # the tests may run as root, who may read everything
            tries.append(path)
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr("os.open", forbidden)
        (drop.folder / "acme" / "inbox" / "a.csv").write_bytes(BODY)
        (drop.folder / "acme" / "inbox" / "b.csv").write_bytes(BODY)
        await house.until(lambda: len(tries) > 2)
    found = await house.received(2)
    assert {upload.path for upload in found} == {"inbox/a.csv", "inbox/b.csv"}
    stuck = [(line["path"], line["reason"]) for line in log_lines if line["event"] == "drop.stuck"]
    assert stuck == [("inbox/a.csv", "[Errno 13] Permission denied")]


@pytest.mark.parametrize("closed", ["to be listed", "to be looked into", "a link"])
async def test_a_directory_that_cannot_be_looked_into_is_told_once_and_keeps_no_other_brand(
    house, drop, log_lines, monkeypatch, closed
):
    """The tests may run as root, whom no rights keep out."""
    inbox = drop.folder / "acme" / "inbox"

    def forbids(real, names):
        def call(path, *arguments, **named):
            if path in names and "dir_fd" in named:
                raise PermissionError(13, "Permission denied")
            return real(path, *arguments, **named)

        return call

    with monkeypatch.context() as patched:
        if closed == "to be listed":
            patched.setattr("os.open", forbids(os.open, {"acme"}))
        elif closed == "to be looked into":
            patched.setattr("os.stat", forbids(os.stat, {"a.csv"}))
        else:
            (house.root / "elsewhere").mkdir()
            await put_link(inbox, house.root / "elsewhere")
        (inbox / "a.csv").write_bytes(BODY)
        (drop.folder / "bolt" / "inbox" / "b.csv").write_bytes(BODY)
        await house.received(1, brand="bolt")
        for _ in range(2):
            await asyncio.to_thread(house.go_through, drop)
        told = [line for line in log_lines if line["event"] == "drop.stuck" and line["brand"] == "acme"]
        where = {line["path"] for line in told}
        assert len(told) == len(where) and "inbox/" in where
        assert "link" in told[0]["reason"] if closed == "a link" else "denied" in told[0]["reason"]
    assert not [line for line in log_lines if line["event"] == "drop.postponed"]
    if closed != "a link":
        await house.received(1)  # once it may be


async def test_a_file_without_room_waits_and_so_do_later_ones_of_its_brand_alone(house, drop, log_lines, monkeypatch):
    inbox, real = drop.folder / "acme" / "inbox", shutil.disk_usage
    drop.disk_floor_bytes = 5000
    with monkeypatch.context() as patched:
        patched.setattr("shutil.disk_usage", lambda path: real(path)._replace(free=5900))
        for number, (file, size) in enumerate([(inbox / "a.csv", 950), (inbox / "b.csv", 10)]):
            file.write_bytes(b"x" * size)
            os.utime(file, (number, number))
        (drop.folder / "bolt" / "inbox" / "c.csv").write_bytes(BODY)
        await house.received(1, brand="bolt")
        for _ in range(2):
            await asyncio.to_thread(house.go_through, drop)
        assert house.history() == []
    found = await house.received(2)
    assert [upload.path for upload in found] == ["inbox/a.csv", "inbox/b.csv"]
    stuck = [(line["path"], line["reason"]) for line in log_lines if line["event"] == "drop.stuck"]
    assert [path for path, _ in stuck] == ["inbox/a.csv"] and "no room" in stuck[0][1]


async def test_a_file_that_cannot_be_removed_is_not_received_again_after_a_restart(house, drop, monkeypatch):
    unlink = os.unlink

    def forbidden(path, **named):
        if path == "old.csv":
            raise PermissionError(13, "Permission denied")
        unlink(path, **named)

    monkeypatch.setattr("os.unlink", forbidden)
    (drop.folder / "acme" / "inbox" / "old.csv").write_bytes(BODY)
    (first,) = await house.received(1)
    for number in range(60):
        sent.receive(house.store, path="new.csv", sha256=f"{number:064}")
    drop.taker.left.clear()  # as after a restart
    real, asked = drop.taker._received, []
    monkeypatch.setattr(drop.taker, "_received", lambda *about: asked.append(real(*about)) or asked[-1])
    await house.until(lambda: asked)
    await house.until(lambda: drop.taker.left)
    assert asked == [first.id]
    assert [upload.path for upload in house.history()].count("inbox/old.csv") == 1


async def test_a_name_that_cannot_be_shown_is_told_once_and_left(house, drop, log_lines):
    inbox = drop.folder / "acme" / "inbox"
    strange = [inbox / "a\n.csv", inbox / os.fsdecode(b"caf\xe9.csv")]
    for file in strange:
        file.write_bytes(BODY)
    (inbox / "b.csv").write_bytes(BODY)
    (upload,) = await house.received(1)
    assert upload.path == "inbox/b.csv"
    await asyncio.to_thread(house.go_through, drop)
    await asyncio.to_thread(house.go_through, drop)
    assert all(file.exists() for file in strange)
    stuck = [(line["path"], line["reason"]) for line in log_lines if line["event"] == "drop.stuck"]
    why = "its name has characters that cannot be shown, or is not UTF-8; rename it"
    assert sorted(stuck) == [("inbox/a\\n.csv", why), ("inbox/caf\\xe9.csv", why)]
