"""The journal of small files: what is read back, what a start brings in, and when a segment is used again."""

import asyncio
import errno
import fcntl
import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from sftp_gateway import disk
from sftp_gateway.sftp import journal, replay, segment
from sftp_gateway.sftp.journal import Journal
from sftp_gateway.sftp.record import read
from sftp_gateway.sftp.segment import Segment
from sftp_gateway.store import brands, drafts
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.staging import Staging

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AT = datetime(2026, 1, 5, 12, 0, 0, 1, tzinfo=UTC)


async def yes():
    return True


@pytest.fixture
def staging(tmp_path):
    return Staging(tmp_path / "staging")


def closed(staging, name="a.csv", body=b"sku\n1\n", brand="acme"):
    id_ = staging.new_id()
    staging.file(id_).write_bytes(body)
    return Entry(
        id=id_, brand=brand, path=f"inbox/{name}", sent=name, place=Place.CLOSED, bytes=len(body), modified_at=AT,
        opened_at=AT, changed_at=AT, sha256=hashlib.sha256(body).hexdigest(), client={"session": "x"}, due_at=AT,
    )  # fmt: skip


async def write(writer, *pairs):
    for entry, body in pairs:
        assert writer.takes(len(body))
        writer.put(entry, body)
        await writer.sync(writer)


def die(writer):
    """Close without a word, as the kernel does for a process that is killed."""
    for one in writer._segments:
        os.close(one.fd)


def segment_of(staging):
    (path,) = journal.folder_of(staging).iterdir()
    return path


async def test_what_was_put_is_read_back_and_a_torn_record_ends_it(staging):
    writer = Journal(staging, "j", yes)
    one, two = closed(staging, body=b"first"), closed(staging, "ü\n.csv", b"second")
    await write(writer, (one, b"first"), (two, b"second"))
    raw = segment_of(staging).read_bytes()
    assert [(record.entry, record.data) for record in read(raw)] == [(one, b"first"), (two, b"second")]
    end = raw.index(b"second")
    for torn in (raw[:end], raw[:end] + b"sEcond", raw[:end] + bytes(20)):
        assert [record.data for record in read(torn)] == [b"first"]
    assert [*read(b"")] == [*read(bytes(4096))] == []
    die(writer)


async def test_a_start_brings_in_what_a_dead_process_acknowledged_once(staging, sqlite_store):
    brands.create(sqlite_store, "acme")
    writer = Journal(staging, "j", yes)
    stored, owed = closed(staging, "a.csv", b"a"), closed(staging, "b.csv", b"b")
    erased = closed(staging, "c.csv", b"c", brand="gone")
    await write(writer, (stored, b"a"), (owed, b"b"), (erased, b"c"))
    with sqlite_store.write() as tx:
        drafts.save_all(tx, [stored])
        drafts.set_journaled(tx, "j", 1)
        drafts.remove(tx, stored.id)  # the brand took it away: nothing may bring it back
    assert replay.replay(sqlite_store, staging) == 0, "its process lives"
    die(writer)
    staging.file(owed.id).write_bytes(b"")  # as after a power cut
    assert replay.replay(sqlite_store, staging) == 2
    with sqlite_store.read() as conn:
        assert drafts.load(conn, "acme")[1] == [owed]
        assert drafts.journaled(conn, "j") == 0
    assert staging.file(owed.id).read_bytes() == b"b"
    assert replay.replay(sqlite_store, staging) == 0
    assert not [*journal.folder_of(staging).iterdir()]


async def test_an_empty_file_comes_back_too(staging, sqlite_store):
    brands.create(sqlite_store, "acme")
    writer = Journal(staging, "j", yes)
    empty, later = closed(staging, "a.csv", b""), closed(staging, "b.csv", b"b")
    await write(writer, (empty, b""), (later, b"b"))
    staging.file(empty.id).unlink()
    die(writer)
    assert replay.replay(sqlite_store, staging) == 2
    with sqlite_store.read() as conn:
        assert {entry.path: entry for entry in drafts.load(conn, "acme")[1]} == {
            one.path: one for one in (empty, later)
        }
    assert staging.file(empty.id).read_bytes() == b""


@pytest.mark.parametrize("changed", [False, True])
async def test_bytes_come_back_only_while_the_row_means_them(staging, sqlite_store, changed):
    brands.create(sqlite_store, "acme")
    writer = Journal(staging, "j", yes)
    entry = closed(staging, body=b"sku")
    await write(writer, (entry, b"sku"))
    row = replace(entry, place=Place.OPEN, bytes=5) if changed else entry
    with sqlite_store.write() as tx:
        drafts.save_all(tx, [row])
        drafts.set_journaled(tx, "j", 1)
    staging.file(entry.id).write_bytes(b"other")
    die(writer)
    replay.replay(sqlite_store, staging)
    assert staging.file(entry.id).read_bytes() == (b"other" if changed else b"sku")


@pytest.mark.parametrize("on_disk", [b"sku", b"s"], ids=["whole", "cut"])
async def test_a_file_that_a_dead_process_was_claiming_stops_no_start_though_nobody_may_write_it(
    staging, sqlite_store, tmp_path, monkeypatch, on_disk
):
    brands.create(sqlite_store, "acme")
    writer = Journal(staging, "j", yes)
    entry = closed(staging, body=b"sku")
    await write(writer, (entry, b"sku"))
    with sqlite_store.write() as tx:
        drafts.save_all(tx, [replace(entry, place=Place.CLAIMED, owner="it", due_at=None)])
        drafts.set_journaled(tx, "j", 1)
    die(writer)
    staging.file(entry.id).write_bytes(on_disk)
    (tmp_path / "blob").hardlink_to(staging.file(entry.id))
    (tmp_path / "blob").chmod(0o440)
    real = os.open

    def as_another_than_root(path, flags, *more, **named):
        if flags & os.O_RDWR and Path(path).exists() and not Path(path).stat().st_mode & 0o200:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, flags, *more, **named)

    monkeypatch.setattr("os.open", as_another_than_root)
    replay.replay(sqlite_store, staging)
    assert staging.file(entry.id).read_bytes() == b"sku"
    assert not [*journal.folder_of(staging).iterdir()]


async def test_a_draft_that_was_renamed_since_keeps_its_bytes_over_a_power_cut(staging, sqlite_store):
    brands.create(sqlite_store, "acme")
    writer = Journal(staging, "j", yes)
    entry = closed(staging, "a.csv.tmp", body=b"sku")
    await write(writer, (entry, b"sku"))
    renamed = replace(entry, path="inbox/a.csv", sent="a.csv", changed_at=AT + timedelta(seconds=1))
    with sqlite_store.write() as tx:
        drafts.save_all(tx, [renamed])
        drafts.set_journaled(tx, "j", 1)
    die(writer)
    staging.file(entry.id).write_bytes(b"")  # the row was committed, the file never synced
    replay.replay(sqlite_store, staging)
    assert staging.file(entry.id).read_bytes() == b"sku"
    with sqlite_store.read() as conn:
        assert drafts.load(conn, "acme")[1] == [renamed]


async def test_a_full_segment_gives_way_to_the_other_and_a_start_reads_both(staging, sqlite_store, monkeypatch):
    brands.create(sqlite_store, "acme")
    monkeypatch.setattr(journal, "SEGMENTS", 2)
    monkeypatch.setattr(segment, "SEGMENT_BYTES", journal.ROW_BYTES + 100_000)
    monkeypatch.setattr(segment, "AHEAD", bytes(50_000))
    writer = Journal(staging, "j", yes)
    entries = [closed(staging, f"{n}.csv", f"inbox/{n}.csv".encode() * 500) for n in range(40)]
    put = []
    for entry in entries:
        while not writer.takes(10_000):  # noqa: ASYNC110 - the other one is being synced
            await asyncio.sleep(0.001)
        writer.put(entry, entry.path.encode() * 500)
        await writer.sync(writer)
        put.append(entry)
    assert len([*journal.folder_of(staging).iterdir()]) == 2
    assert sum(path.stat().st_size for path in journal.folder_of(staging).iterdir()) < 400_000
    die(writer)
    with sqlite_store.write() as tx:
        drafts.set_journaled(tx, "j", 38)
    assert replay.replay(sqlite_store, staging) == 2
    with sqlite_store.read() as conn:
        assert {row.id for row in drafts.load(conn, "acme")[1]} == {entry.id for entry in put[38:]}


async def test_no_draft_is_synced_before_half_of_the_segments_are_full(staging, monkeypatch):
    monkeypatch.setattr(segment, "SEGMENT_BYTES", journal.ROW_BYTES + 100_000)
    monkeypatch.setattr(segment, "AHEAD", bytes(50_000))
    writer = Journal(staging, "j", yes)
    full = []
    while writer._cleaning is None:
        await write(writer, (closed(staging, body=b"x" * 9000), b"x" * 9000))
        full = [one for one in writer._segments[1:] if one.ids]
    assert len(full) == journal.SEGMENTS // 2
    await writer.aclose()


async def test_an_orderly_end_leaves_nothing_and_a_store_that_does_not_answer_everything(staging):
    async def no():
        return False

    for answer, left in ((yes, 0), (no, 1)):
        writer = Journal(staging, f"j{left}", answer)
        await write(writer, (closed(staging, body=b"x"), b"x"))
        await writer.aclose()
        assert len([*journal.folder_of(staging).iterdir()]) == left


def bytes_on_disk(staging):
    return b"".join(path.read_bytes() for path in journal.folder_of(staging).iterdir())


async def test_a_sweep_at_the_moment_in_which_a_segment_is_made_costs_no_record(staging, sqlite_store, monkeypatch):
    brands.create(sqlite_store, "acme")
    writer, entry, real, swept = Journal(staging, "j", yes), closed(staging), fcntl.flock, []

    def late(fd, how):
        if not swept:
            swept.append(fd)
            replay.replay(sqlite_store, staging)
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert not writer.takes(6), "its file is gone; what comes now goes the long way"
    assert swept
    await write(writer, (entry, b"sku\n1\n"))
    assert [record.entry for record in read(segment_of(staging).read_bytes())] == [entry]
    die(writer)


async def test_a_sweep_that_comes_too_late_leaves_what_has_the_name_by_then(staging, sqlite_store, monkeypatch):
    brands.create(sqlite_store, "acme")
    writer, entry, real, swept = Journal(staging, "j", yes), closed(staging), fcntl.flock, []
    (journal.folder_of(staging) / "j.0").touch()  # it is being made, and not locked yet

    def late(fd, how):
        if not swept:
            swept.append(fd)
            replay.replay(sqlite_store, staging)  # another one is quicker, and the writer begins anew
            assert writer.takes(6)
            writer.put(entry, b"sku\n1\n")
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    replay.replay(sqlite_store, staging)
    assert [record.entry for record in read(segment_of(staging).read_bytes())] == [entry]
    die(writer)


def test_a_journal_that_goes_while_it_is_swept_is_none_and_leaves_nothing_open(staging, sqlite_store, monkeypatch):
    paths, real, opened = [journal.folder_of(staging) / f"j.{number}" for number in range(2)], os.open, []
    for path in paths:
        path.touch()

    def late(path, *how, **more):
        if path == paths[1]:
            paths[1].unlink()
        opened.append(real(path, *how, **more))
        return opened[-1]

    monkeypatch.setattr(replay.os, "open", late)
    assert replay.replay(sqlite_store, staging) == 0
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_of_a_journal_that_went_in_that_moment_the_store_forgets_nothing(staging, sqlite_store, monkeypatch):
    folder, real = journal.folder_of(staging), Path.iterdir
    (folder / "j.0").touch()
    with sqlite_store.write() as tx:
        drafts.set_journaled(tx, "j", 7)

    def seen(path):
        found = list(real(path))
        for file in found:
            file.unlink()  # its writer found it in another one's hand, and makes it anew
        return found

    monkeypatch.setattr(Path, "iterdir", seen)
    assert replay.replay(sqlite_store, staging) == 0
    with sqlite_store.read() as conn:
        assert drafts.journaled(conn, "j") == 7


async def test_what_is_there_of_an_erased_brand_is_overwritten_and_the_others_lose_nothing(
    staging, sqlite_store, monkeypatch, eventually_async
):
    brands.create(sqlite_store, "acme")
    monkeypatch.setattr(segment, "SEGMENT_BYTES", journal.ROW_BYTES + 100_000)
    monkeypatch.setattr(segment, "AHEAD", bytes(50_000))
    writer, ours = Journal(staging, "j", yes), []
    for n in range(40):  # several segments, each with both brands in it
        theirs, entry = closed(staging, "s", b"s", brand="gone"), closed(staging, f"{n}.csv", b"y" * 5000)
        await write(writer, (theirs, b"secret" * 900), (entry, b"y" * 5000))
        ours.append(entry)
        staging.file(theirs.id).unlink()
    assert len(writer._segments) > 1
    assert b"secret" in bytes_on_disk(staging)

    def gone():
        writer.forget({"acme": LONG_AGO})
        return b"secret" not in bytes_on_disk(staging) and b'"gone"' not in bytes_on_disk(staging)

    await eventually_async(gone)
    late = closed(staging, "late.csv", b"late")
    await write(writer, (late, b"late"))
    for entry in ours:
        assert staging.file(entry.id).read_bytes() == b"y" * 5000
    await eventually_async(lambda: writer._cleaning is None)  # its thread would write to what is opened after `die`
    die(writer)
    replay.replay(sqlite_store, staging)
    with sqlite_store.read() as conn:
        assert late.id in {row.id for row in drafts.load(conn, "acme")[1]}


async def test_while_the_store_does_not_answer_nothing_is_overwritten(staging, sqlite_store, eventually_async):
    async def no():
        return False

    brands.create(sqlite_store, "acme")
    writer, entry = Journal(staging, "j", no), closed(staging, body=b"owed")
    await write(writer, (entry, b"owed"), (closed(staging, "b.csv", b"secret", brand="gone"), b"secret"))
    writer.forget({"acme": LONG_AGO})
    await eventually_async(lambda: writer._cleaning is None)
    die(writer)
    assert b"secret" in bytes_on_disk(staging)
    replay.replay(sqlite_store, staging)
    with sqlite_store.read() as conn:
        assert [row.id for row in drafts.load(conn, "acme")[1]] == [entry.id]


async def overwritten(writer):
    """Wait until nothing is left to be overwritten: a file may be cleaned before, by a task of its own."""
    async with asyncio.timeout(10):
        while writer._doomed or writer._cleaning is not None:
            await (writer._cleaning or asyncio.sleep(0))


async def test_a_segment_that_is_to_be_overwritten_is_not_written_on(staging, monkeypatch):
    writer = Journal(staging, "j", yes)
    await write(writer, (closed(staging, body=b"secret", brand="gone"), b"secret"))
    writer.forget({})
    kept = [closed(staging, f"{n}.csv", b"kept") for n in range(3)]
    for entry in kept:  # in the same turn of the loop: nothing was overwritten yet
        assert writer.takes(4)
        writer.put(entry, b"kept")
    await overwritten(writer)
    assert b"secret" not in bytes_on_disk(staging)
    assert [record.entry for path in journal.folder_of(staging).iterdir() for record in read(path.read_bytes())] == kept
    die(writer)


async def test_no_new_file_for_the_journal_is_no_death(staging, monkeypatch):
    writer = Journal(staging, "j", yes)
    await write(writer, (closed(staging, body=b"secret", brand="gone"), b"secret"))

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Segment, "make", full)
        writer.forget({})
    assert writer._cleaning is None
    writer.forget({})
    await overwritten(writer)
    assert b"secret" not in bytes_on_disk(staging)
    await writer.aclose()


@pytest.fixture
async def many(staging, monkeypatch, eventually_async):
    """A journal of several small segments, all with both brands in them, and all that happens to the disk, in order."""
    monkeypatch.setattr(segment, "SEGMENT_BYTES", journal.ROW_BYTES + 100_000)
    monkeypatch.setattr(segment, "AHEAD", bytes(50_000))
    happened = []
    sync_file, wipe, sync = journal.sync_file, Segment.wipe, disk.sync
    monkeypatch.setattr(journal, "sync_file", lambda path: (sync_file(path), happened.append(("draft", path.name))))
    monkeypatch.setattr(disk, "sync", lambda fd, **how: (sync(fd, **how), happened.append(("sync", fd))))
    monkeypatch.setattr(Segment, "wipe", lambda one: (happened.append(("wipe", one.fd, [*one.ids])), wipe(one)))

    async def never():
        return False

    writer, ours = Journal(staging, "j", never), []
    for n in range(60):  # nothing is stored yet, so that no segment is written on twice
        theirs, entry = closed(staging, "s", b"s", brand="gone"), closed(staging, f"{n}.csv", b"y" * 5000)
        await write(writer, (theirs, b"secret" * 900), (entry, b"y" * 5000))
        staging.file(theirs.id).unlink()
        ours.append(entry)
    assert len(writer._segments) > 4
    await eventually_async(lambda: writer._cleaning is None)
    monkeypatch.setattr(writer, "_stored", yes)
    happened.clear()
    yield writer, ours, happened
    if writer._cleaning is not None:
        await writer._cleaning
    die(writer)


async def test_one_look_has_all_segments_overwritten_each_after_its_drafts_are_on_the_disk(
    staging, many, eventually_async
):
    writer, ours, happened = many
    beside = {entry.id for entry in ours} & {id_ for one in writer._segments if "gone" in one.brands for id_ in one.ids}
    assert len(beside) > 50
    writer.forget({"acme": LONG_AGO})
    await eventually_async(lambda: not writer._doomed and writer._cleaning is None)
    assert b"secret" not in bytes_on_disk(staging)
    wipes = [place for place, (what, *_) in enumerate(happened) if what == "wipe"]
    assert len(wipes) > 4
    synced = {what for kind, what, *_ in happened[: wipes[-1]] if kind == "draft"}
    assert beside <= synced
    for place in wipes:
        _, fd, ids = happened[place]
        assert ids == [] and ("sync", fd) in happened[place:], "it is on the disk that nothing is there any more"


async def test_a_segment_is_not_written_on_before_it_is_overwritten(staging, many, monkeypatch, eventually_async):
    writer, _, _ = many
    await eventually_async(lambda: writer._preparing is None)
    monkeypatch.setattr(journal, "SEGMENTS", len(writer._segments))
    while any(one.free for one in writer._segments[1:]):  # that was made before it was needed
        await write(writer, (closed(staging, "n.csv", b"n" * 5000), b"n" * 5000))
    going_on = threading.Event()
    real = Segment.wipe
    monkeypatch.setattr(Segment, "wipe", lambda one: (going_on.wait(10), real(one)))
    writer.forget({"acme": LONG_AGO})
    await eventually_async(lambda: any(one.wiping and not one.ids for one in writer._segments))
    assert not [one for one in writer._segments[1:] if one.free]
    while writer.takes(5000):
        await write(writer, (closed(staging, "n.csv", b"n" * 5000), b"n" * 5000))
    assert not writer._segments[0].wiping
    going_on.set()
    assert await writer.room(5000)
    await eventually_async(lambda: not writer._doomed and writer._cleaning is None)
    assert b"secret" not in bytes_on_disk(staging)


async def test_a_brand_of_the_same_name_that_came_later_is_another_one(staging, many, eventually_async):
    writer, _, _ = many
    writer.forget({"acme": LONG_AGO, "gone": LONG_AGO})
    assert not writer._doomed and writer._cleaning is None
    writer.forget({"acme": LONG_AGO, "gone": AT + timedelta(seconds=1)})
    await eventually_async(lambda: not writer._doomed and writer._cleaning is None)
    assert b"secret" not in bytes_on_disk(staging)


async def test_a_disk_that_has_no_room_for_zeros_is_asked_again(staging, many, monkeypatch, eventually_async):
    writer, _, _ = many
    real = os.pwrite

    def full(fd, data, offset):
        raise OSError(errno.ENOSPC, "No space left on device")

    def shortly(fd, data, offset):
        return real(fd, data[:777], offset)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        writer.forget({"acme": LONG_AGO})
        await eventually_async(lambda: writer._cleaning is None)
    assert writer.takes(10), "what is not overwritten yet is no reason to take nothing more"
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", shortly)
        writer.forget({"acme": LONG_AGO})
        await eventually_async(lambda: not writer._doomed and writer._cleaning is None)
    assert b"secret" not in bytes_on_disk(staging)


async def test_nothing_is_overwritten_once_the_journal_is_closing(staging, many, monkeypatch):
    writer, _, happened = many

    async def asked_meanwhile():
        writer.forget({"acme": LONG_AGO})
        return True

    monkeypatch.setattr(writer, "_stored", asked_meanwhile)
    await writer.aclose()
    assert writer._cleaning is None and not [what for what, *_ in happened if what == "wipe"]
    assert not [*journal.folder_of(staging).iterdir()]


async def test_those_who_close_at_once_share_a_sync(staging, monkeypatch):
    writer, syncs = Journal(staging, "j", yes), []
    monkeypatch.setattr("os.fdatasync", syncs.append)
    for seconds in (0.0, 1.0):  # in the loop, and in a thread
        writer._seconds = seconds
        for n in range(20):
            assert writer.takes(10)
            writer.put(closed(staging, f"{n}.csv", b"x"), b"x")
        await asyncio.gather(*(writer.sync(writer) for _ in range(20)))
    assert len(syncs) <= 4
    die(writer)


@pytest.fixture
async def tight(staging, monkeypatch):
    """A journal of two small segments; its files come into the store when `answer` is set."""
    monkeypatch.setattr(journal, "SEGMENTS", 2)
    monkeypatch.setattr(segment, "SEGMENT_BYTES", journal.ROW_BYTES + 100_000)
    monkeypatch.setattr(segment, "AHEAD", bytes(50_000))
    answer = asyncio.Event()

    async def stored():
        await answer.wait()
        return answer.good

    answer.good = True
    writer = Journal(staging, "j", stored)
    while writer.takes(10_000):
        entry = closed(staging, f"{writer.number}.csv", b"x" * 10_000)
        writer.put(entry, b"x" * 10_000)
    yield writer, answer
    answer.set()
    await writer.aclose()


@pytest.fixture
async def long(staging, monkeypatch):
    """A journal of small segments, of which the first is a third full."""
    monkeypatch.setattr(segment, "SEGMENT_BYTES", 3 * journal.ROW_BYTES)
    monkeypatch.setattr(segment, "AHEAD", bytes(50_000))
    writer, body = Journal(staging, "j", yes), b"x" * journal.ROW_BYTES

    async def send():
        assert writer.takes(len(body))
        await write(writer, (closed(staging, f"{writer.number}.csv", body), body))

    yield writer, send
    await writer.aclose()


def no_descriptor(_path):
    raise OSError(errno.EMFILE, "no descriptor")


async def test_the_next_segment_is_there_with_all_of_its_blocks_before_it_is_needed(
    long, monkeypatch, eventually_async
):
    writer, send = long
    await send()
    await eventually_async(lambda: len(writer._segments) == 2)
    assert writer._segments[1].free
    assert os.fstat(writer._segments[1].fd).st_blocks * 512 >= segment.SEGMENT_BYTES
    with monkeypatch.context() as patched:
        patched.setattr(Segment, "make", no_descriptor)
        await send()
    assert [len(one.ids) for one in writer._segments] == [1, 1]


async def test_a_segment_that_cannot_be_prepared_is_made_when_it_is_needed(long, monkeypatch, eventually_async):
    writer, send = long
    monkeypatch.setattr(Segment, "prepared", no_descriptor)
    await send()
    await eventually_async(lambda: writer._preparing is None)
    await send()
    assert [len(one.ids) for one in writer._segments] == [1, 1]


async def test_without_room_a_close_waits_for_it_and_who_comes_later_stands_behind(tight):
    writer, answer = tight
    order = []

    async def come(number):
        assert await writer.room(10_000)
        order.append(number)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(come(number))
        await asyncio.sleep(0)
        assert order == []
        answer.set()
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("why", ["the store fails", "it takes too long", "the file is too large"])
async def test_without_hope_of_room_a_close_goes_the_long_way(tight, monkeypatch, why):
    writer, answer = tight
    monkeypatch.setattr(journal, "PATIENCE_SECONDS", 0.05 if why == "it takes too long" else 60.0)
    if why == "the store fails":
        answer.good = False
        answer.set()
    async with asyncio.timeout(30):
        assert not await writer.room(10_000 if why != "the file is too large" else 200_000)
    answer.set()


async def test_a_crowd_shares_syncs_and_one_sender_never_waits(staging, monkeypatch):
    syncs = []
    monkeypatch.setattr("os.fdatasync", syncs.append)
    writer = Journal(staging, "j", yes)
    monkeypatch.setattr(journal, "GATHER_SECONDS", 30.0)

    async def close(sender):
        assert writer.takes(10)
        writer.put(closed(staging, f"{sender}-{writer.number}.csv", b"x"), b"x")
        await writer.sync(sender)

    async with asyncio.timeout(10):
        for _ in range(40):
            await close("alone")
    assert len(syncs) == 40
    monkeypatch.setattr(journal, "GATHER_SECONDS", 0.05)
    senders = [f"sender {number}" for number in range(40)]
    await asyncio.gather(*map(close, senders))  # which shows that they are a crowd
    syncs.clear()
    first = asyncio.create_task(close(senders[0]))
    await asyncio.sleep(0)
    await asyncio.gather(first, *map(close, senders[1:]))
    assert len(syncs) == 1
    die(writer)
