import asyncio
import errno
import os
from pathlib import Path

import asyncssh
import pytest

from sftp_gateway import blobs, disk, errors, settings
from sftp_gateway.intake import sweep
from sftp_gateway.sftp import journal
from sftp_gateway.store import brands, drafts, uploads
from sftp_gateway.store.drafts import Place
from sftp_gateway.upload import State

BODY = b"sku,name\n1,one\n" * 1000
BIG = BODY * 10
"""Too large for the journal: synced where it lies, its row committed before CLOSE is answered."""


async def put(client, path, body=BODY):
    async with client.open(path, "wb") as file:
        await file.write(body)


async def drop(house, path, body=BODY):
    """Write and vanish without CLOSE."""
    async with house.connect() as conn:
        client = await conn.start_sftp_client()
        file = await client.open(path, "wb")
        await file.write(body)
        conn.abort()


async def test_a_dropped_connection_leaves_an_unfinished_upload_whatever_its_bytes(house, log_lines):
    await drop(house, "/a.csv")
    unfinished = await house.state(State.UNFINISHED)
    assert unfinished.reasons[0]["code"] == "FILE_INCOMPLETE"
    assert house.jobs == 0
    (line,) = [line for line in log_lines if line["event"] == "transfer.closed"]
    assert line["how"] == "drop"
    async with house.sftp() as client:
        assert (await client.stat("/a.csv")).size == len(BODY)


@pytest.mark.parametrize("append", [True, False])
async def test_a_dropped_draft_is_resumed_and_keeps_its_upload_id(house, append):
    await drop(house, "/a.csv")
    unfinished = await house.state(State.UNFINISHED)
    async with house.sftp() as client:
        flags = asyncssh.FXF_WRITE | (asyncssh.FXF_APPEND | asyncssh.FXF_CREAT if append else 0)
        async with client.open("/a.csv", flags, encoding=None) as file:
            assert house.history() == []  # `receiving` is listed nowhere
            await file.write(b"rest", len(BODY))
        resumed = await house.state(State.RECEIVED)
    assert (resumed.id, house.bytes_of(resumed)) == (unfinished.id, BODY + b"rest")


async def test_a_dropped_draft_is_replaced_by_a_whole_file_under_the_same_id(house):
    await drop(house, "/a.csv")
    unfinished = await house.state(State.UNFINISHED)
    async with house.sftp() as client:
        await put(client, "/a.csv", b"whole")
        received = await house.state(State.RECEIVED)
    assert (received.id, house.bytes_of(received)) == (unfinished.id, b"whole")


async def test_a_resumed_draft_that_is_removed_while_it_is_open_is_refused_as_removed(house):
    await drop(house, "/a.csv")
    unfinished = await house.state(State.UNFINISHED)
    async with house.sftp() as client:
        async with client.open("/a.csv", asyncssh.FXF_WRITE | asyncssh.FXF_APPEND, encoding=None) as file:
            await file.write(b"rest")
            await client.remove("/a.csv")
        refused = await house.state(State.REFUSED)
    assert refused.id == unfinished.id and "removed by its sender" in refused.reasons[0]["text"]
    assert house.staged() == []


@pytest.mark.parametrize("over", [True, False])
async def test_an_unfinished_name_is_completed_by_a_temporary_one_renamed_over_it(house, over):
    await drop(house, "/a.csv")
    unfinished = await house.state(State.UNFINISHED)
    async with house.sftp() as client:
        await put(client, "/a.tmp", b"whole")
        if not over:
            await client.remove("/a.csv")
        await client.posix_rename("/a.tmp", "/a.csv")
        if over:
            received = await house.state(State.RECEIVED)
            assert (received.id, house.bytes_of(received)) == (unfinished.id, b"whole")
            return
        await house.received(2)
        await house.until(lambda: house.history()[0].state is State.REFUSED)
    assert [upload.state for upload in house.history()] == [State.REFUSED, State.RECEIVED]


async def test_what_a_worker_found_unfinished_is_resumed_with_a_copy_of_its_bytes(house):
    async with house.sftp() as client:
        await put(client, "/a.csv")
        (upload,) = await house.received(1)
        await house.quiet()
        house.verdict(upload.id, State.UNFINISHED)
        async with client.open("/a.csv", asyncssh.FXF_WRITE | asyncssh.FXF_APPEND, encoding=None) as file:
            await file.write(b"rest")
        resumed = await house.state(State.RECEIVED)
    assert (resumed.id, house.bytes_of(resumed)) == (upload.id, BODY + b"rest")


async def test_a_temporary_name_that_was_dropped_is_no_upload_and_waits_for_its_resume(house):
    await drop(house, "/a.csv.filepart")
    await asyncio.sleep(0.3)
    assert house.history() == []
    async with house.sftp() as client:
        assert (await client.stat("/a.csv.filepart")).size == len(BODY)
        async with client.open("/a.csv.filepart", asyncssh.FXF_WRITE, encoding=None) as file:
            await file.write(b"rest", len(BODY))
        await client.rename("/a.csv.filepart", "/a.csv")
        (upload,) = await house.received(1)
    assert house.bytes_of(upload) == BODY + b"rest"


async def test_the_unfinished_get_a_receipt_in_time_and_are_refused_in_the_end(open_house):
    house = await open_house(incomplete_after=1, abandoned_after=60)
    await drop(house, "/a.csv")
    upload = await house.state(State.UNFINISHED)
    assert upload.receipt is None
    reminded = await house.until(lambda: (u := house.history()[0]).receipt and u)
    assert reminded.state is State.UNFINISHED
    assert reminded.receipt["findings"][0]["code"] == "FILE_INCOMPLETE"
    assert [file["name"] for file in reminded.receipt["files"]] == [f"a.csv.{upload.id}.errors.csv"]
    await house.stack.aclose()
    house = await open_house(incomplete_after=0.4, abandoned_after=0.9)  # more than that has passed
    refused = await house.state(State.REFUSED)
    assert house.bytes_of(refused) == BODY
    assert refused.receipt["state"] == "refused" and refused.finished_at
    async with house.sftp() as client:
        assert not await client.exists("/a.csv")
        assert [name for name in await client.listdir("/errors") if name.endswith("errors.csv")]
    assert house.staged() == []
    assert uploads.retry(house.store, refused.id, "me").bytes == len(BODY)


async def test_a_temporary_name_is_forgotten_in_the_end(open_house):
    house = await open_house(abandoned_after=0.3, incomplete_after=1)
    async with house.sftp() as client:
        await put(client, "/a.tmp")
        await house.until(house.rows)
        async with asyncio.timeout(10):
            # An open session's view learns it just after the commit.
            while await client.exists("/a.tmp"):  # noqa: ASYNC110 - asks a server that signals nothing here
                await asyncio.sleep(0.01)
    assert house.rows() == [] and house.staged() == [] and house.history() == []


async def test_after_a_crash_what_was_open_is_unfinished_and_what_was_closed_is_received(open_house):
    house = await open_house(settle_seconds=30)
    async with house.connect() as conn:
        client = await conn.start_sftp_client()
        await put(client, "/closed.csv")
        file = await client.open("/open.csv", "wb")
        await file.write(BODY)
        await house.until(lambda: len(house.rows()) == 2)
        house.settling.cancel()
        os.close(house.homes._owner._descriptor)  # as the kernel does when a process is killed
        house.homes._owner._descriptor = -1
        again = await open_house(settle_seconds=0.1)
        (unfinished,) = await again.received(1)
        # What was closed rests by the rules under which it was closed.
        with again.store.write() as tx:
            [row] = [row for row in again.rows() if row.path == "inbox/closed.csv"]
            drafts.move(tx, row.id, [Place.CLOSED], due_at=tx.now)
        found = await again.received(2)
        conn.abort()
    assert (unfinished.path, unfinished.state, unfinished.bytes) == ("open.csv", State.UNFINISHED, len(BODY))
    assert (found[1].path, found[1].state, again.bytes_of(found[1])) == ("closed.csv", State.RECEIVED, BODY)


async def test_a_claim_that_died_in_the_middle_is_made_once(open_house):
    house = await open_house(settle_seconds=30)
    async with house.sftp() as client:
        await put(client, "/a.csv")
    (row,) = await house.until(house.rows)
    file = house.root / "staging" / "drafts" / row.id
    os.link(file, file.with_suffix(".claim"))
    house.files.keep(blobs.Area.SOURCES, row.sha256, file.with_suffix(".claim"))
    with house.store.write() as tx:
        drafts.move(tx, row.id, [Place.CLOSED], place=Place.CLAIMED, owner="0123456789abcdef", due_at=None)
    again = await open_house()
    (upload,) = await again.received(1)
    assert again.bytes_of(upload) == BODY
    await again.quiet()
    assert again.staged() == [] and len(again.history()) == 1


async def test_fsync_that_fails_refuses_the_upload_and_is_not_tried_again(house, monkeypatch):
    calls, before = [], disk.failures()

    def failing(_descriptor):
        calls.append(1)
        raise OSError(errno.EIO, "disk on fire")

    async with house.sftp() as client:
        file = await client.open("/a.csv", "wb")
        await file.write(BIG)
        with monkeypatch.context() as patched:
            patched.setattr("sftp_gateway.sftp.draft.os.fsync", failing)
            with pytest.raises(asyncssh.SFTPFailure, match="send it again"):
                await file.close()
        assert len(calls) == 1
        assert not await client.exists("/a.csv")
    refused = await house.state(State.REFUSED)
    assert refused.reasons[0]["code"] == "disk_failed" and house.staged() == []
    assert disk.failures() == before + 1


async def test_a_small_file_is_on_disk_under_its_name_before_the_journal_speaks_for_it_no_more(open_house, monkeypatch):
    house = await open_house(settle_seconds=20)
    folder, synced, real = house.homes.staging.folder, [], os.fsync

    def fsync(descriptor):
        real(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_relative_to(folder):
            synced.append((path, [row.place for row in house.rows()]))

    async with house.sftp() as client:
        await put(client, "/a.csv")
        (row,) = await house.until(house.rows)
        monkeypatch.setattr("os.fsync", fsync)
        async with client.open("/a.csv", asyncssh.FXF_WRITE | asyncssh.FXF_APPEND, encoding=None):
            assert synced == [(folder / row.id, [Place.CLOSED]), (folder, [Place.CLOSED])]


async def test_a_disk_that_fills_up_fails_every_write_and_the_partial_file_is_resumed(house, monkeypatch):
    real = os.pwrite

    def full(descriptor, data, offset):
        if offset >= 1000:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, data, offset)

    async with house.sftp() as client:
        file = await client.open("/a.csv", "wb")
        await file.write(BODY[:1000])
        await file.fsync()  # so it has a file
        with monkeypatch.context() as patched:
            patched.setattr("sftp_gateway.sftp.draft.os.pwrite", full)
            with pytest.raises(asyncssh.SFTPFailure, match="no room"):
                await file.write(BODY[1000:], 1000)
        with pytest.raises(asyncssh.SFTPFailure, match="no room"):
            await file.write(b"x", 0)
        with pytest.raises(asyncssh.SFTPFailure, match="no room"):
            await file.close()
        unfinished = await house.state(State.UNFINISHED)
        assert "disk_full" in {reason["code"] for reason in unfinished.reasons}
        assert (await client.stat("/a.csv")).size == 1000
        async with client.open("/a.csv", asyncssh.FXF_WRITE, encoding=None) as file:
            await file.write(BODY[1000:], 1000)
        resumed = await house.state(State.RECEIVED)
    assert house.bytes_of(resumed) == BODY


async def test_a_small_file_that_finds_a_full_disk_fails_its_close_and_the_next_one_is_taken(house, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    # It is a small file sent quickly, however slow this machine is.
    monkeypatch.setattr("sftp_gateway.sftp.writing.NOTE_AFTER_SECONDS", 60)
    async with house.sftp() as client:
        file = await client.open("/a.csv", "wb")
        await file.write(BODY)
        with monkeypatch.context() as patched:
            patched.setattr("os.pwrite", full)
            with pytest.raises(asyncssh.SFTPFailure, match="no room"):
                await file.close()
        refused = await house.state(State.REFUSED)
        assert refused.reasons[0]["code"] == "disk_full" and house.staged() == []
        await put(client, "/a.csv")
        assert house.homes.journal.number == 1  # and by the short way
        await house.received(2)


async def test_a_small_file_that_is_open_for_a_moment_has_no_row_of_its_own_one_for_longer_has(house, monkeypatch):
    def places(path):
        with house.store.read() as conn:
            return [entry.place for entry in drafts.at(conn, "acme", [f"inbox/{path}"]).values()]

    monkeypatch.setattr("sftp_gateway.sftp.writing.NOTE_AFTER_SECONDS", 0)
    async with house.sftp() as client:
        file = await client.open("/a.csv", "wb")
        await file.write(BODY)
        await client.stat("/a.csv")
        assert places("a.csv") == [] and house.staged() == []
        await file.close()
        assert house.homes.journal.number == 1
        await house.received(1)
        monkeypatch.setattr("sftp_gateway.sftp.writing.NOTE_SMALL_AFTER_SECONDS", 0)
        file = await client.open("/b.csv", "wb")
        await house.until(lambda: places("b.csv") == [Place.OPEN])
        assert len(house.staged()) == 1
        await file.close()


async def test_a_store_that_is_away_fails_the_close_and_loses_nothing_that_was_acknowledged(house, monkeypatch):
    def away(*_):
        raise errors.StoreUnreachable("gone")

    async with house.sftp() as client:
        await put(client, "/kept.csv")
        file = await client.open("/a.csv", "wb")
        await file.write(BIG)
        small = await client.open("/small.csv", "wb")
        await small.write(BODY)
        with monkeypatch.context() as patched:
            patched.setattr(house.homes.ledger, "_commit", away)
            await small.close()  # its row is in the journal: the store may answer later
            with pytest.raises(asyncssh.SFTPFailure, match="could not record"):
                await file.close()
        await put(client, "/a.csv", b"again")
        found = await house.received(3)
    assert {upload.path for upload in found} == {"kept.csv", "small.csv", "a.csv"}


async def test_a_draft_that_the_store_did_not_hear_of_has_its_row_once_it_answers(house, monkeypatch):
    """Its bytes may come for hours; without a row they would be nobody's at the next start."""
    monkeypatch.setattr("sftp_gateway.sftp.writing.NOTE_AFTER_SECONDS", 0)
    monkeypatch.setattr("sftp_gateway.sftp.writing.NOTE_SMALL_AFTER_SECONDS", 0)
    tried = []

    def away(*_):
        tried.append(1)
        raise errors.StoreUnreachable("gone")

    async with house.sftp() as client:
        await client.listdir("/inbox")
        with monkeypatch.context() as patched:
            patched.setattr(house.homes.ledger, "_commit", away)
            file = await client.open("/a.csv", "wb")
            await house.until(lambda: tried)
        await house.until(lambda: [row.place for row in house.rows()] == [Place.OPEN])
        await file.close()


@pytest.mark.parametrize("how", ["closed", "dropped"])
async def test_a_store_that_was_away_hears_later_how_a_file_ended_and_its_name_is_free(house, monkeypatch, how):
    monkeypatch.setattr("sftp_gateway.sftp.writing.NOTE_AFTER_SECONDS", 0)
    tried = []

    def away(*_):
        tried.append(how)
        raise errors.StoreUnreachable("gone")

    async with house.sftp() as stays:
        await stays.listdir("/")
        async with house.connect() as conn:
            client = await conn.start_sftp_client()
            file = await client.open("/a.csv", "wb")
            await file.write(BIG)
            await house.until(lambda: [row.place for row in house.rows()] == [Place.OPEN])
            with monkeypatch.context() as patched:
                patched.setattr(house.homes.ledger, "_commit", away)
                if how == "closed":
                    with pytest.raises(asyncssh.SFTPFailure, match="could not record"):
                        await file.close()
                else:
                    conn.abort()
                await house.until(lambda: len(tried) > 1)
        assert (await house.state(State.UNFINISHED)).path == "a.csv"
        await put(stays, "/a.csv", b"again")
        assert house.bytes_of(await house.state(State.RECEIVED)) == b"again"


async def test_a_refusal_that_the_store_could_not_hear_stands_in_the_history_later(open_house, monkeypatch):
    house = await open_house(limits=settings.Limits(disk_floor_bytes=0, max_file_bytes=len(BIG)))

    def away(*_):
        raise errors.StoreUnreachable("gone")

    async with house.sftp() as client:
        file = await client.open("/a.csv", "wb")
        with pytest.raises(asyncssh.SFTPFailure, match="larger than"):
            await file.write(BIG + b"x")
        with monkeypatch.context() as patched:
            patched.setattr(house.homes.ledger, "_commit", away)
            with pytest.raises(asyncssh.SFTPFailure, match="could not record"):
                await file.close()
        refused = await house.state(State.REFUSED)
    assert refused.reasons[0]["code"] == "FILE_TOO_LARGE"


async def test_a_write_that_failed_is_not_tried_again(house, monkeypatch):
    append = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_APPEND
    async with house.sftp() as client, client.open("/a.csv", append, encoding=None) as file:
        with monkeypatch.context() as patched:
            patched.delattr("sftp_gateway.sftp.draft.time")  # a fault after the bytes were taken
            with pytest.raises(asyncssh.SFTPFailure, match="made a mistake"):
                await file.write(b"x")
        assert (await file.stat()).size == 1


async def test_a_journal_that_cannot_be_synced_fails_the_close_and_is_used_no_more(house, monkeypatch):
    def failing(_descriptor):
        raise OSError(errno.EIO, "disk on fire")

    async with house.sftp() as client:
        with monkeypatch.context() as patched:
            patched.setattr("os.fdatasync", failing)
            with pytest.raises(asyncssh.SFTPFailure, match="send it again"):
                await put(client, "/a.csv")
        assert (await house.state(State.UNFINISHED)).path == "a.csv"
        number = house.homes.journal.number
        await put(client, "/a.csv", b"again")
        await house.state(State.RECEIVED)
        assert house.homes.journal.number == number


async def test_without_a_journal_a_small_file_goes_the_long_way(house, monkeypatch):
    folder, real, tried = journal.folder_of(house.homes.staging), os.open, []

    def none_left(path, *arguments, **named):
        if Path(path).parent == folder:
            tried.append(path)
            raise OSError(errno.EMFILE, "too many open files")
        return real(path, *arguments, **named)

    monkeypatch.setattr("os.open", none_left)
    async with house.sftp() as client:
        await put(client, "/a.csv")
        assert not house.open_drafts()
        received = await house.state(State.RECEIVED)
    assert house.bytes_of(received) == BODY
    assert tried


async def test_a_full_disk_at_the_claim_loses_nothing(house, monkeypatch):
    real, tried = house.files.keep_all, []

    def failing(area, sources):
        first, *others = sources
        real(area, [first])
        tried.append(first)
        for _, path in others:
            path.unlink()
        raise errors.DiskFull("no room")

    monkeypatch.setattr(house.files, "keep_all", failing)
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await put(client, "/b.csv", BODY + b"2,two\n")
        await house.until(lambda: tried)
        monkeypatch.setattr(house.files, "keep_all", real)
        found = await house.received(2)
    assert {upload.path: house.bytes_of(upload) for upload in found} == {"a.csv": BODY, "b.csv": BODY + b"2,two\n"}


async def test_bytes_that_vanished_are_told_and_stop_nothing(open_house, log_lines):
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        await put(client, "/a.csv")
        (row,) = await house.until(house.rows)
        (house.root / "staging" / "drafts" / row.id).unlink()
        await put(client, "/b.csv")
        house.rest()
        await house.received(2)
        await house.until(lambda: {u.state for u in house.history()} == {State.REFUSED, State.RECEIVED})


async def test_an_erased_brand_takes_its_drafts_with_it(house):
    async with house.sftp() as client:
        await put(client, "/a.tmp")
        await house.until(house.rows)
        brands.erase(house.store, house.files, "acme")
        await house.until(lambda: not house.rows())
        await asyncio.sleep(0)
        await house.homes.refresh(house.homes._views["acme"], force=True)
        assert not await client.exists("/a.tmp")


async def test_a_file_of_a_brand_that_was_erased_meanwhile_is_no_mistake_of_ours(house, log_lines):
    async with house.sftp("bolt") as client:
        file = await client.open("/a.csv", "wb")
        await file.write(BIG)
        brands.erase(house.store, house.files, "bolt")
        with pytest.raises(asyncssh.SFTPFailure, match="could not record"):
            await file.close()
    assert not [line for line in log_lines if line["event"] == "session.faulted"]
    await house.until(lambda: not house.open_drafts())
    assert house.rows("bolt") == []


async def test_another_process_that_changes_the_home_is_noticed(house):
    async with house.sftp() as client:
        assert not await client.exists("/other.csv")
        with house.store.write() as tx:
            drafts.save(
                tx,
                drafts.Entry("x" * 32, "acme", "inbox/other", "other", Place.DIRECTORY, 0, tx.now, tx.now, tx.now),
            )
            tx.touch("acme")
        async with asyncio.timeout(20):  # a second, where nothing else is done; told by nobody, it were never
            while not await client.exists("/other"):  # noqa: ASYNC110 - the other side has no event
                await asyncio.sleep(0.02)


async def test_a_file_is_received_when_its_rest_ends_and_not_at_the_next_look(house, monkeypatch):
    monkeypatch.setattr("sftp_gateway.intake.claim.LOOK_SECONDS", 60.0)
    async with house.sftp() as client:
        for n in range(3):
            await put(client, f"/{n}.csv", b"%d" % n)
            await house.received(n + 1)


async def test_a_file_that_is_claimed_while_the_sweep_looks_kills_nothing(house, monkeypatch):
    async with house.sftp() as client:
        await put(client, "/a.csv")
    (upload,) = await house.received(1)
    gone = house.root / "staging" / "drafts" / "claimed-just-now"
    monkeypatch.setattr(type(gone), "iterdir", lambda _folder: iter([gone]))  # listed, then taken
    sweep.sweep(house.intake._desk, house.store.now())
    assert house.bytes_of(upload) == BODY
