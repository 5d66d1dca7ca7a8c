import asyncio
import contextlib
import hashlib
import os
import stat
from datetime import timedelta

import asyncssh
import pytest

from sftp_gateway import settings
from sftp_gateway.brand import BrandSettings
from sftp_gateway.sftp import closing, homes
from sftp_gateway.store import drafts
from sftp_gateway.store.drafts import Place
from sftp_gateway.upload import Mode, State

BODY = b"sku,name\n1,one\n" * 100


async def put(client, path, body=BODY):
    async with client.open(path, "wb") as file:
        await file.write(body)


async def test_a_file_that_was_closed_is_received_whole_once_it_rested(open_house):
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        await put(client, "catalog.csv")
        assert house.history() == []
        house.rest()
        (upload,) = await house.received(1)
    assert (upload.state, upload.path, upload.mode, upload.via) == (State.RECEIVED, "catalog.csv", Mode.FULL, "sftp")
    assert house.bytes_of(upload) == BODY
    assert (upload.bytes, upload.complete) == (len(BODY), False)
    assert upload.client["fingerprint"].startswith("SHA256:")
    await house.quiet()
    assert house.staged() == []
    assert house.jobs == 1


@pytest.mark.parametrize(
    ("path", "mode", "sent"),
    [
        ("/inbox/a.csv", Mode.FULL, "inbox/a.csv"),
        ("/a.csv", Mode.FULL, "a.csv"),
        ("/partial/a.csv", Mode.PARTIAL, "partial/a.csv"),
        ("/test/a.csv", Mode.TEST, "test/a.csv"),
    ],
)
async def test_the_top_directory_is_the_mode(house, path, mode, sent):
    async with house.sftp() as client:
        await put(client, path)
    (upload,) = await house.received(1)
    assert (upload.mode, upload.path) == (mode, sent)


async def test_a_brand_may_say_that_its_inbox_is_partial(open_house):
    house = await open_house(brand=BrandSettings(mode="partial"))
    async with house.sftp() as client:
        await put(client, "/inbox/a.csv")
    (upload,) = await house.received(1)
    assert upload.mode is Mode.PARTIAL


async def test_the_top_and_the_inbox_are_one_directory(house):
    async with house.sftp() as client:
        await put(client, "/a.csv")
        assert (await client.stat("/inbox/a.csv")).size == len(BODY)
        assert {"a.csv", "inbox", "partial", "test", "errors", "receipts", "catalog"} <= set(await client.listdir("/"))
        assert "a.csv" in await client.listdir("/inbox")
        await client.mkdir("/season")
        assert stat.S_ISDIR((await client.stat("/inbox/season")).permissions)


async def test_an_accepted_name_is_seen_in_every_session_with_its_size_and_time(house):
    async with house.sftp() as client, house.sftp() as other:
        await put(client, "/a.csv")
        await client.utime("/a.csv", (5, 1_000_000_000))
        await house.received(1)
        await house.quiet()
        for one in (client, other):
            attrs = await one.stat("/a.csv")
            assert (attrs.size, attrs.mtime) == (len(BODY), 1_000_000_000)
            await one.chmod("/a.csv", 0o600)
            await one.chown("/a.csv", 1, 1)
        async with other.open("/a.csv", "rb") as file:
            assert await file.read() == BODY
        [entry] = [name for name in await other.readdir("/inbox") if name.filename == "a.csv"]
        assert entry.attrs.size == len(BODY)
    async with house.sftp("bolt") as stranger:
        assert not await stranger.exists("/a.csv")


async def test_the_first_second_of_1970_is_a_time_too(house):
    async with house.sftp() as client:
        async with client.open("/a.csv", "wb") as file:
            await file.write(BODY)
            await client.utime("/a.csv", (0, 0))
            assert (await client.stat("/a.csv")).mtime == 0
        assert (await client.stat("/a.csv")).mtime == 0


async def test_an_accepted_name_leaves_the_view_in_time(open_house):
    house = await open_house(incomplete_after=1.0)  # the sweep follows from it
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await house.received(1)
        await house.quiet()
        assert await client.exists("/a.csv")
        with house.store.write() as tx:
            (row,) = house.rows()
            assert row.expires_at - tx.now > timedelta(hours=23)
            drafts.move(tx, row.id, [Place.ACCEPTED], expires_at=tx.now)
        async with asyncio.timeout(20):  # the name leaves the view right after its row
            while await client.exists("/a.csv"):
                continue
        assert not house.rows()


async def test_a_file_that_is_open_for_reading_is_not_cut(house):
    async with house.sftp() as client:
        await put(client, "a.csv")
        async with client.open("a.csv", "rb") as file:
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await file.setstat(asyncssh.SFTPAttrs(size=3))
            await file.setstat(asyncssh.SFTPAttrs(permissions=0o644))
            assert await file.read() == BODY


async def test_a_file_is_cut_by_fsetstat_and_fills_no_old_tail(house):
    async with house.sftp() as client:
        await put(client, "/a.csv", b"x" * 1000)
        await house.received(1)
        # As OpenSSH's scp does: no truncation, write, cut, close.
        async with client.open("/a.csv", asyncssh.FXF_WRITE | asyncssh.FXF_CREAT, encoding=None) as file:
            await file.write(BODY[:100])
            await file.setstat(asyncssh.SFTPAttrs(size=100))
        _, second = await house.received(2)
    assert house.bytes_of(second) == BODY[:100]


async def test_opening_an_accepted_name_without_writing_changes_nothing(house):
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await house.received(1)
        async with client.open("/a.csv", asyncssh.FXF_WRITE, encoding=None):
            await asyncio.sleep(0)
        async with client.open("/a.csv", "rb") as file:
            assert await file.read() == BODY
        await put(client, "/b.csv")
        await house.received(2)
    await house.quiet()
    assert [upload.path for upload in house.history()] == ["a.csv", "b.csv"]


@pytest.mark.parametrize("append", [True, False])
async def test_an_accepted_name_goes_on_with_a_copy_of_its_bytes(house, append):
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await house.received(1)
        flags = asyncssh.FXF_WRITE | (asyncssh.FXF_APPEND if append else 0)
        async with client.open("/a.csv", flags, encoding=None) as file:
            await file.write(b"tail", 0 if append else len(BODY))
        first, second = await house.received(2)
    assert (house.bytes_of(first), house.bytes_of(second)) == (BODY, BODY + b"tail")


async def test_an_accepted_name_that_may_not_go_on_keeps_its_bytes(open_house):
    house = await open_house()
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await house.received(1)
        house.homes.limit(settings.Limits(disk_floor_bytes=0, max_file_bytes=len(BODY) - 1))
        with pytest.raises(asyncssh.SFTPFailure, match="larger than"):
            await client.open("/a.csv", "ab")
        assert house.open_drafts() == []
        house.homes.limit(settings.Limits(disk_floor_bytes=0))
        async with client.open("/a.csv", "ab") as file:
            await file.write(b"tail")
        *_, last = await house.received(3)
    assert house.bytes_of(last) == BODY + b"tail"


async def test_a_closed_draft_reopened_with_truncation_becomes_an_upload_before_the_later_one(open_house):
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        await put(client, "/a.csv", b"first\n")
        await put(client, "/a.csv", b"second\n")
        house.rest()
        found = await house.received(2)
    await house.quiet()
    assert [house.bytes_of(upload) for upload in found] == [b"first\n", b"second\n"]


async def test_an_empty_probe_that_is_written_later_is_one_upload(open_house):
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        await put(client, "/a.csv", b"")
        await put(client, "/a.csv")
        house.rest()
        await house.received(1)
    await house.quiet()
    (upload,) = house.history()
    assert house.bytes_of(upload) == BODY


async def test_an_empty_file_is_received(house):
    async with house.sftp() as client:
        await put(client, "/a.csv", b"")
        (upload,) = await house.received(1)
    assert upload.bytes == 0
    assert upload.sha256 == hashlib.sha256(b"").hexdigest()
    assert house.homes.journal.number == 1  # by the short way, as any small one


async def test_a_closed_draft_reopened_without_truncation_goes_on(open_house):
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        await put(client, "/a.csv", b"first\n")
        async with client.open("/a.csv", asyncssh.FXF_WRITE | asyncssh.FXF_APPEND, encoding=None) as file:
            await file.write(b"second\n")
        house.rest()
        await house.received(1)
    await house.quiet()
    (upload,) = house.history()
    assert house.bytes_of(upload) == b"first\nsecond\n"


async def test_writes_out_of_order_and_of_every_size_arrive(house):
    body = os.urandom(3_000_000)
    pieces = [(start, body[start : start + 4096]) for start in range(0, 400_000, 4096)]
    pieces = [(start, piece[: 400_000 - start]) for start, piece in pieces] + [(400_000, body[400_000:])]
    async with house.sftp() as client, client.open("/a.bin", "wb") as file:
        await asyncio.gather(*(file.write(piece, start) for start, piece in reversed(pieces)))
    (upload,) = await house.received(1)
    assert house.bytes_of(upload) == body


async def test_exclusive_creation_fails_on_a_name_under_way_and_starts_anew_on_an_accepted_one(open_house):
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        await put(client, "/a.csv", b"1")
        with pytest.raises(asyncssh.SFTPFailure, match="still being received"):
            await client.open("/a.csv", "xb")
        house.rest()
        await house.received(1)
        await house.quiet()  # the open session hears of it just after the commit
        async with client.open("/a.csv", "xb") as file:
            await file.write(b"2")
        house.rest()
        _, second = await house.received(2)
    assert house.bytes_of(second) == b"2"


async def test_a_size_that_no_file_may_have_is_refused_also_where_a_file_goes_on(house):
    async with house.sftp() as client:
        async with client.open("/a.csv", "wb") as file:
            await file.write(b"x")
        flags = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND
        with pytest.raises(asyncssh.SFTPError, match="larger"):
            await client.open("/a.csv", flags, asyncssh.SFTPAttrs(size=2**63), encoding=None)
        found = await house.received(2)
    # The refusal stands in the history, and harms nothing.
    assert [upload.bytes for upload in found if upload.state is State.RECEIVED] == [1]


async def test_a_declared_size_that_is_not_reached_is_unfinished(house):
    async with house.sftp() as client:
        async with client.open("/a.csv", "wb", asyncssh.SFTPAttrs(size=1000)) as file:
            await file.write(b"x" * 999)
        (upload,) = await house.received(1)
        assert upload.state is State.UNFINISHED
        assert "declared" in upload.reasons[0]["text"]
        async with client.open("/a.csv", asyncssh.FXF_WRITE | asyncssh.FXF_APPEND, encoding=None) as file:
            await file.write(b"x")
        resumed = await house.state(State.RECEIVED)
    assert (resumed.id, resumed.bytes) == (upload.id, 1000)


async def test_a_size_that_was_declared_is_forgotten_with_the_bytes_it_was_declared_for(house):
    declared = asyncssh.SFTPAttrs(size=5000)
    async with house.connect() as conn, house.sftp() as client:
        broken = await (await conn.start_sftp_client()).open("/a.csv", "wb", declared)
        await broken.write(b"x" * 80)
        conn.abort()
        dropped = await house.state(State.UNFINISHED)
        async with client.open("/a.csv", "wb") as file:
            await file.write(b"whole\n")
        upload = await house.state(State.RECEIVED)
        assert (upload.id, upload.bytes) == (dropped.id, 6)
        async with client.open("/b.csv", "wb", declared) as file:
            await file.write(b"x" * 80)
        _, short = await house.received(2)
        assert short.state is State.UNFINISHED
        async with client.open("/b.csv", "wb", asyncssh.SFTPAttrs(size=7)) as file:
            await file.write(b"whole\n")

        def last(state, size):
            return [(upload.state, upload.bytes) for upload in house.history()[1:]] == [(state, size)]

        await house.until(lambda: last(State.UNFINISHED, 6))  # 7 are declared now
        async with client.open("/b.csv", "ab", asyncssh.SFTPAttrs(size=7)) as file:
            await file.write(b"\n")
        await house.until(lambda: last(State.RECEIVED, 7))
        assert house.history()[1].id == short.id


async def test_a_size_that_was_declared_is_forgotten_when_the_file_is_emptied(house):
    """By SETSTAT; what the handle that empties it declared itself goes on to count."""
    declared = asyncssh.SFTPAttrs(size=5000)
    async with house.sftp() as client:
        async with client.open("/a.csv", "wb", declared) as file:
            await file.write(b"x" * 80)
        await house.state(State.UNFINISHED)
        await client.truncate("/a.csv", 0)
        async with client.open("/a.csv", "ab") as file:
            await file.write(b"whole\n")
        assert (await house.state(State.RECEIVED)).bytes == 6
        async with client.open("/b.csv", "wb", declared) as file:
            await file.write(b"x" * 80)
            await file.setstat(asyncssh.SFTPAttrs(size=0))
            await file.write(b"x" * 80)
        assert (await house.received(2))[1].state is State.UNFINISHED


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_size_that_was_declared_is_forgotten_when_a_file_is_emptied_that_was_empty_anyway(open_house, is_open):
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        file = await client.open("/a.csv", "wb", asyncssh.SFTPAttrs(size=5000))
        if not is_open:
            await file.close()
        await client.truncate("/a.csv", 0)
        if not is_open:
            file = await client.open("/a.csv", "ab")
        await file.write(b"whole\n")
        await file.close()
        house.rest()
        (upload,) = await house.received(1)
    assert (upload.state, upload.bytes) == (State.RECEIVED, 6)


async def test_several_handles_in_several_sessions_make_one_file(house):
    async with house.sftp() as one, house.sftp() as two:
        first = await one.open("/a.bin", "wb")
        second = await two.open("/a.bin", asyncssh.FXF_WRITE | asyncssh.FXF_CREAT, encoding=None)
        await second.write(b"b" * 10, 10)
        await second.close()
        await asyncio.sleep(0.2)
        assert house.history() == []
        await first.write(b"a" * 10, 0)
        await first.close()
        (upload,) = await house.received(1)
    assert house.bytes_of(upload) == b"a" * 10 + b"b" * 10


@pytest.mark.parametrize("ends_first", [True, False])
async def test_one_handle_that_was_dropped_leaves_the_file_unfinished_and_says_why(open_house, ends_first):
    house = await open_house(incomplete_after=0.3)
    async with house.sftp() as one:
        async with house.connect() as conn:
            two = await conn.start_sftp_client()
            lost = await two.open("/a.bin", "wb")
            await lost.write(b"a" * 10)
            kept = await one.open("/a.bin", asyncssh.FXF_WRITE, encoding=None)
            await kept.write(b"b" * 10, 10)
            if not ends_first:  # it is dead, and nobody knows yet
                await kept.close()
                assert house.history() == []
            conn.abort()
        if ends_first:
            await house.until(lambda: sum(len(draft.handles) for draft in house.open_drafts()) == 1)
            await kept.close()
        upload = await house.state(State.UNFINISHED)
        assert [reason["text"] for reason in upload.reasons] == [closing.HALF_CLOSED["text"]]
        reminded = await house.until(lambda: house.history()[0].receipt)
        assert reminded["reasons"][0]["text"] == closing.HALF_CLOSED["text"]
        await (
            await one.open("/a.bin", asyncssh.FXF_WRITE, encoding=None)
        ).close()  # as a resume does that finds all of it
        whole = await house.state(State.RECEIVED)
    assert (whole.id, house.bytes_of(whole)) == (upload.id, b"a" * 10 + b"b" * 10)


async def test_two_sessions_that_put_one_name_at_once_make_two_uploads(house):
    async with house.sftp() as one, house.sftp() as two:
        first = await one.open("/a.csv", "wb")
        await first.write(b"one")
        second = await two.open("/a.csv", "wb")
        await second.write(b"two!")
        await first.write(b"+")
        await first.close()
        await second.close()
        found = await house.received(2)
        assert (await one.stat("/a.csv")).size == 4
    assert [house.bytes_of(upload) for upload in found] == [b"one+", b"two!"]


async def test_two_sessions_that_open_one_name_before_either_writes_make_two_uploads(house):
    async with house.sftp() as one, house.sftp() as two:
        first = await one.open("/a.csv", "wb")
        second = await two.open("/a.csv", "wb")
        await first.write(b"sku,name\n1,one\n2,two\n")
        await second.write(b"sku,name\n3,x\n")
        await second.close()
        await first.close()
        found = await house.received(2)
    assert {house.bytes_of(upload) for upload in found} == {b"sku,name\n1,one\n2,two\n", b"sku,name\n3,x\n"}


IN_PLACE = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT
"""How OpenSSH's scp opens: it cuts the old tail by FSETSTAT before its CLOSE."""


async def write_in_place(file, body, piece=1000):
    for offset in range(0, len(body), piece):
        await file.write(body[offset : offset + piece], offset)


@pytest.mark.parametrize("sent_before", [None, b"x" * 9_000], ids=["new", "accepted"])
async def test_two_sessions_that_write_one_name_from_its_start_without_truncation_make_two_uploads(house, sent_before):
    bodies = [b"sku,name\n" + b"1,one\n" * 500, b"sku,name\n" + b"2,another\n" * 700]
    async with house.sftp() as one, house.sftp() as two:
        if sent_before:
            await put(one, "/a.csv", sent_before)
            await house.received(1)
        files = [await client.open("/a.csv", IN_PLACE, encoding=None) for client in (one, two)]
        await asyncio.gather(*map(write_in_place, files, bodies))
        for file, body in zip(files, bodies, strict=True):
            await file.setstat(asyncssh.SFTPAttrs(size=len(body)))
            await file.close()
        found = (await house.received(3 if sent_before else 2))[-2:]
        assert (await one.stat("/a.csv")).size == len(bodies[1])
    assert [house.bytes_of(upload) for upload in found] == bodies


@pytest.mark.parametrize("moves", [False, True], ids=["kept", "renamed"])
async def test_three_sessions_that_write_one_name_from_its_start_without_truncation_make_three_uploads(house, moves):
    """The third one has what the first wrote open, which lost its name to the second."""
    bodies = [b"sku,name\n" + b"%d,one\n" % number * (300 + 100 * number) for number in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(house.sftp()) for _ in bodies]
        files = [await client.open("/a.csv", IN_PLACE, encoding=None) for client in clients]
        for number, (file, body) in enumerate(zip(files, bodies, strict=True)):
            await file.write(body[:1000], 0)
            if moves and number == 0:
                await clients[0].rename("/a.csv", "/b.csv")
        for file, body in zip(files, bodies, strict=True):
            await file.write(body[1000:], 1000)
        for file, body in zip(files, bodies, strict=True):
            await file.setstat(asyncssh.SFTPAttrs(size=len(body)))
            await file.close()
        found = await house.received(3)
        assert (await clients[0].stat("/a.csv")).size == len(bodies[2])
    assert {house.bytes_of(upload) for upload in found} == set(bodies)


async def test_a_session_that_empties_a_name_while_another_one_writes_it_leaves_that_one_its_bytes(house):
    async with house.sftp() as one, house.sftp() as two:
        first = await one.open("/a.csv", IN_PLACE, encoding=None)
        await first.write(BODY, 0)
        second = await two.open("/a.csv", IN_PLACE, encoding=None)
        await second.setstat(asyncssh.SFTPAttrs(size=0))
        await second.close()
        await first.setstat(asyncssh.SFTPAttrs(size=len(BODY)))
        await first.close()
        found = await house.received(2)
    assert {house.bytes_of(upload) for upload in found} == {BODY, b""}


async def test_a_part_that_one_client_sends_again_over_another_session_stays_in_its_file(house):
    parts = [b"a" * 1000, b"b" * 1000, b"c" * 1000]
    async with house.sftp() as one, house.sftp() as two, house.sftp() as three, house.sftp() as again:
        files = [await client.open("/a.bin", IN_PLACE, encoding=None) for client in (one, two, three)]
        for number, (file, part) in enumerate(zip(files, parts, strict=True)):
            await file.write(part, number * 1000)
        once_more = await again.open("/a.bin", IN_PLACE, encoding=None)
        await once_more.write(parts[0], 0)
        for file in [*files, once_more]:
            await file.close()
        (upload,) = await house.received(1)
    assert house.bytes_of(upload) == b"".join(parts)


async def test_a_second_sender_that_finds_no_room_fails_to_its_end_and_harms_the_first_one_nothing(open_house):
    house = await open_house(limits=settings.Limits(disk_floor_bytes=0, quota_files=1))
    async with house.sftp() as one, house.sftp() as two:
        first, second = [await client.open("/a.csv", IN_PLACE, encoding=None) for client in (one, two)]
        await first.write(BODY, 0)
        for offset in (0, 10):
            with pytest.raises(asyncssh.SFTPFailure, match="files"):
                await second.write(b"another", offset)
        with pytest.raises(asyncssh.SFTPFailure, match="files"):
            await second.setstat(asyncssh.SFTPAttrs(size=0))
        with pytest.raises(asyncssh.SFTPFailure, match=r"files.* \(upload 1\)"):
            await second.close()
        await first.close()
        refused, upload = await house.received(2)
    assert house.bytes_of(upload) == BODY
    assert (refused.path, refused.reasons[0]["code"]) == ("a.csv", "quota_exceeded")


async def test_a_file_that_its_client_forgot_to_close_is_told_of_once_until_it_moves(
    open_house, log_lines, monkeypatch
):
    monkeypatch.setattr(homes, "FORGET_SECONDS", 0.05)
    house = await open_house(incomplete_after=0.3)

    def told():
        return [line for line in log_lines if line["event"] == "transfer.stuck"]

    async with house.sftp() as client:
        file = await client.open("/a.csv", "wb")
        for number in (1, 2):
            await file.write(BODY)
            await house.until(lambda: len(told()) == number)  # noqa: B023 - asked within the turn
        await put(client, "/b.csv")
        await house.received(1)
        assert [(line["path"], line["bytes"]) for line in told()] == [("a.csv", len(BODY)), ("a.csv", 2 * len(BODY))]
        assert all(line["session"] and line["handles"] == 1 for line in told())
        await file.close()
        await house.received(2)


async def test_ten_sessions_on_one_connection_write_ten_files(house):
    async with house.connect() as conn:
        clients = [await conn.start_sftp_client() for _ in range(10)]
        await asyncio.gather(*(put(client, f"/{n}.csv", BODY + b"%d" % n) for n, client in enumerate(clients)))
        found = await house.received(10)
    assert {house.bytes_of(upload) for upload in found} == {BODY + b"%d" % n for n in range(10)}


async def test_what_is_written_can_be_read_back_while_it_is_written(house):
    async with house.sftp() as client, client.open("/a.csv", "w+b") as file:
        await file.write(BODY)
        assert await file.read(100, 0) == BODY[:100]
        async with client.open("/a.csv", "rb") as other:
            assert await other.read() == BODY
        assert (await file.stat()).size == len(BODY)
        await file.fsync()


async def test_an_open_handle_keeps_its_bytes_whatever_becomes_of_the_name(house):
    async with house.sftp() as client:
        await put(client, "/a.csv")
        async with client.open("/a.csv", "rb") as file:
            await house.received(1)
            await client.remove("/a.csv")
            await put(client, "/a.csv", b"other")
            assert await file.read() == BODY


async def test_marker_files_say_when_a_file_is_complete(open_house):
    house = await open_house(brand=BrandSettings(marker=".done"))
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await put(client, "/b.csv")
        await asyncio.sleep(0.3)
        assert house.history() == []
        await put(client, "/a.csv.done", b"")
        (upload,) = await house.received(1)
        assert upload.path == "a.csv"
        await put(client, "/a.csv", b"again")  # the marker has spoken once
        await asyncio.sleep(0.3)
    assert len(house.history()) == 1


async def test_a_marker_that_never_comes_is_told(open_house):
    house = await open_house(brand=BrandSettings(marker=".done"), incomplete_after=0.4)
    async with house.sftp() as client:
        await put(client, "/a.csv")
        (upload,) = await house.received(1)
        assert upload.state is State.UNFINISHED
        assert "marker" in upload.reasons[0]["text"]


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("kind", ["sha256", "md5"])
async def test_a_checksum_beside_the_file_is_compared(house, right, kind):
    import hashlib

    told = hashlib.new(kind, BODY if right else b"other").hexdigest()
    async with house.sftp() as client:
        await put(client, f"/a.csv.{kind}", f"{told}  a.csv\n".encode())
        await put(client, "/a.csv")
        upload = await house.state(State.RECEIVED if right else State.REFUSED)
        assert (await client.stat("/a.csv")).size == len(BODY)
    await house.quiet()
    assert len(house.history()) == 1
    if right:
        assert upload.state is State.RECEIVED
        return
    assert upload.state is State.REFUSED
    assert upload.reasons[0]["code"] == "FILE_CHECKSUM"
    assert upload.receipt["findings"][0]["code"] == "FILE_CHECKSUM"
    assert house.bytes_of(upload) == BODY
    async with house.sftp() as client, client.open(f"/errors/a.csv.{upload.id}.errors.csv", "rb") as file:
        text = (await file.read()).decode("utf-8-sig")
    assert text.splitlines()[0].startswith("upload,row,line") and "FILE_CHECKSUM,fatal" in text


async def test_the_audit_line_joins_transfer_and_history(house, log_lines):
    async with house.sftp() as client:
        await put(client, "/a.csv")
        (upload,) = await house.received(1)
    (line,) = [line for line in log_lines if line["event"] == "transfer.closed"]
    assert (line["how"], line["bytes"], line["sha256"], line["brand"]) == ("close", len(BODY), upload.sha256, "acme")
    assert line["fingerprint"].startswith("SHA256:") and line["source"] == "127.0.0.1" and line["client"]
    assert upload.client["session"] == line["session"]


async def test_each_audit_line_is_joined_to_its_upload_by_its_draft_also_among_equal_files(house, log_lines):
    async with house.connect() as conn:
        client = await conn.start_sftp_client()
        file = await client.open("/dropped.csv", "wb")
        await file.write(BODY)
        conn.abort()
    await house.state(State.UNFINISHED)
    async with house.sftp() as client:
        async with client.open("/dropped.csv", asyncssh.FXF_WRITE | asyncssh.FXF_APPEND, encoding=None) as file:
            await file.write(b"2,two\n")
        for name in ("a.csv", "b.csv"):
            await put(client, name)
        found = await house.received(3)
        await house.until(lambda: {upload.state for upload in house.history()} == {State.RECEIVED})
    uploads = {upload.id: upload.path for upload in found}

    def received():
        return [line for line in log_lines if line["event"] == "upload.received"]

    await house.until(lambda: len(received()) == 3)  # a line follows the commit that it tells of
    joined = {(line["draft"], uploads[line["upload"]]) for line in received()}
    told = [(line["draft"], line["path"]) for line in log_lines if line["event"] == "transfer.closed"]
    assert set(told) == joined and len(told) == 4


async def test_the_quota_is_exact_to_the_byte_under_parallel_writes(open_house):
    house = await open_house(limits=settings.Limits(disk_floor_bytes=0, quota_bytes=100_000, max_file_bytes=80_000))
    async with house.sftp() as client:
        opened = [await client.open(f"/{n}.tmp", "wb") for n in range(4)]
        sent = 0

        async def fill(file):
            nonlocal sent
            for n in range(100):
                try:
                    await file.write(b"x" * 999, n * 999)
                except asyncssh.SFTPFailure as refusal:
                    assert "quota" in str(refusal).lower()
                    with pytest.raises(asyncssh.SFTPFailure):  # every further WRITE too
                        await file.write(b"x", 0)
                    return
                sent += 999

        await asyncio.gather(*map(fill, opened))
        assert 100_000 - 999 < sent <= 100_000
        with pytest.raises(asyncssh.SFTPFailure, match=r"Quota exceeded: .* of 97.7 KiB"):
            await client.open("/more.csv", "wb", asyncssh.SFTPAttrs(size=5000))
        for file in opened:
            with pytest.raises(asyncssh.SFTPFailure):
                await file.close()
        await house.received(5)
        await house.until(lambda: all(u.state is State.REFUSED for u in house.history()))
        await put(client, "/fits.csv", b"y" * 70_000)
        await house.until(lambda: house.history()[-1].state is State.RECEIVED)
    reasons = {(u.path, u.reasons[0]["code"]) for u in house.history()[:-1]}
    assert ("more.csv", "quota_exceeded") in reasons and ("0.tmp", "quota_exceeded") in reasons
    assert all(u.receipt["state"] == "refused" for u in house.history()[:-1])


async def test_a_refusal_names_the_upload_under_which_it_stands_in_the_history(open_house, log_lines):
    house = await open_house(
        limits=settings.Limits(disk_floor_bytes=0, max_file_bytes=10_000), brand=BrandSettings(mode="partial")
    )
    async with house.sftp() as client:
        with pytest.raises(asyncssh.SFTPFailure) as told:
            await client.open("/told.csv", "wb", asyncssh.SFTPAttrs(size=20_000))
        file = await client.open("/large.csv", "wb")
        with pytest.raises(asyncssh.SFTPFailure):
            await file.write(b"x" * 20_000)
        with pytest.raises(asyncssh.SFTPFailure) as closed:
            await file.close()
        found = await house.received(2)
        await house.until(lambda: all(upload.state is State.REFUSED for upload in house.history()))
    shown = {upload.path: f"(upload {upload.id})" for upload in found}
    assert str(told.value).endswith(shown["told.csv"]) and str(closed.value).endswith(shown["large.csv"])
    assert {upload.mode for upload in found} == {Mode.PARTIAL}
    (line,) = [line for line in log_lines if line["event"] == "transfer.closed"]
    assert f"(upload {line['upload']})" == shown["large.csv"] and line["how"] == "refused"


async def test_a_file_larger_than_allowed_is_refused_at_open_when_known_else_while_it_is_written(open_house):
    house = await open_house(limits=settings.Limits(disk_floor_bytes=0, max_file_bytes=1000))
    async with house.sftp() as client:
        with pytest.raises(asyncssh.SFTPFailure, match="larger than the 1,000 bytes"):
            await client.open("/known.csv", "wb", asyncssh.SFTPAttrs(size=1001))
        file = await client.open("/unknown.csv", "wb")
        await file.write(b"x" * 1000)
        with pytest.raises(asyncssh.SFTPFailure, match="larger"):
            await file.write(b"x", 1000)
        with pytest.raises(asyncssh.SFTPFailure, match="larger"):
            await file.setstat(asyncssh.SFTPAttrs(size=2000))
        with pytest.raises(asyncssh.SFTPFailure, match="larger"):
            await file.close()
        assert not await client.exists("/unknown.csv")
        found = await house.received(2)
        await house.until(lambda: all(u.state is State.REFUSED for u in house.history()))
        found = house.history()
    assert [u.reasons[0]["code"] for u in found] == ["FILE_TOO_LARGE"] * 2
    assert found[0].receipt["findings"][0]["code"] == "FILE_TOO_LARGE"
    assert house.staged() == []


async def try_again_and_again(house):
    async with house.sftp() as client:
        for _ in range(3):
            with pytest.raises(asyncssh.SFTPFailure, match=r"larger than .* \(upload 1\)"):
                await client.open("/known.csv", "wb", asyncssh.SFTPAttrs(size=1001))
        for _ in range(3):
            file = await client.open("/unknown.csv", "wb")
            with pytest.raises(asyncssh.SFTPFailure, match="larger"):
                await file.write(b"x" * 1001)
            with pytest.raises(asyncssh.SFTPFailure, match=r"larger than .* \(upload 2\)"):
                await file.close()
    await house.until(lambda: [u.state for u in house.history()] == [State.REFUSED] * 2)
    await house.until(lambda: house.rows() == [])
    assert [u.path for u in house.history()] == ["known.csv", "unknown.csv"] and house.staged() == []


async def test_a_client_that_tries_for_ever_what_is_refused_stands_in_the_history_once_also_after_a_restart(open_house):
    limits = settings.Limits(disk_floor_bytes=0, max_file_bytes=1000)
    for _ in range(2):
        house = await open_house(limits=limits)
        await try_again_and_again(house)
        await house.stack.aclose()


async def test_a_full_disk_refuses_new_files_and_says_so_once_in_the_history(open_house):
    house = await open_house(limits=settings.Limits(disk_floor_bytes=1 << 60))
    async with house.sftp() as client:
        for _ in range(3):
            with pytest.raises(asyncssh.SFTPFailure, match="no room on its disk"):
                await client.open("/a.csv", "wb")
    refused = await house.state(State.REFUSED)
    assert refused.reasons[0]["code"] == "disk_full"


async def test_a_disk_below_its_floor_lets_running_files_end(open_house):
    house = await open_house()
    async with house.sftp() as client:
        file = await client.open("/running.csv", "wb")
        await file.write(BODY[:10])
        house.homes.limit(settings.Limits(disk_floor_bytes=1 << 60))
        with pytest.raises(asyncssh.SFTPFailure, match="no room on its disk"):
            await client.open("/new.csv", "wb")
        await file.write(BODY[10:], 10)
        await file.close()
        await house.until(lambda: {u.path: u.state for u in house.history()}.get("running.csv") is State.RECEIVED)


async def test_a_write_of_four_mebibytes_arrives_in_one_packet(house):
    body = os.urandom(4 << 20)
    async with house.sftp() as client:
        file = await client.open("/a.bin", "wb")
        handle = file._handle
        packet = len(handle).to_bytes(4, "big") + handle + bytes(8) + len(body).to_bytes(4, "big") + body
        await client._handler._make_request(6, packet)
        await file.close()
        (upload,) = await house.received(1)
    assert house.bytes_of(upload) == body


async def test_an_absent_name_is_no_such_file(house):
    async with house.sftp() as client:
        for request in (client.stat("/a.csv"), client.lstat("/inbox/a.csv"), client.open("/a.csv", "rb")):
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await request


async def test_the_number_of_files_has_a_limit_too(open_house):
    house = await open_house(limits=settings.Limits(disk_floor_bytes=0, quota_files=3))
    async with house.sftp() as client:
        await client.mkdir("/d")
        await put(client, "/a.csv")
        await put(client, "/d/b.csv")
        with pytest.raises(asyncssh.SFTPFailure, match="Quota exceeded: 3 files"):
            await put(client, "/c.csv")
        with pytest.raises(asyncssh.SFTPFailure, match="Quota"):
            await client.mkdir("/e")
        await house.received(3)  # the refused one is in the history too
        await house.quiet()
        await put(client, "/a.csv", b"over a name that counts already")
