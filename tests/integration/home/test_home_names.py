import asyncio
import errno
import shutil

import asyncssh
import pytest

from sftp_gateway import errors
from sftp_gateway.blobs import Area
from sftp_gateway.upload import Mode, State

BODY = b"sku,name\n1,one\n" * 10


async def put(client, path, body=BODY):
    async with client.open(path, "wb") as file:
        await file.write(body)


TEMPORARY = [
    ".in.a.csv", "~a.csv", ".a.csv.swp", "a.csv.filepart", "a.csv.part", "a.csv.PARTIAL", "a.csv.tmp", "a.csv.temp",
    "a.csv.crdownload", "a.csv.uploading", "a.csv.ocTransferId123.part", ".stage/a.csv",
]  # fmt: skip


async def test_temporary_names_are_no_uploads_until_they_are_renamed(house):
    async with house.sftp() as client:
        await client.mkdir("/.stage")
        for name in TEMPORARY:
            await put(client, name, BODY + name.encode())
        await asyncio.sleep(0.3)
        assert house.history() == []
        for n, name in enumerate(TEMPORARY):
            await client.rename(name, f"/inbox/{n}.csv")
        found = await house.received(len(TEMPORARY))
    assert {house.bytes_of(upload) for upload in found} == {BODY + name.encode() for name in TEMPORARY}
    assert {upload.path for upload in found} == {f"inbox/{n}.csv" for n in range(len(TEMPORARY))}


async def test_upload_check_and_move_may_be_three_sessions(house):
    async with house.sftp() as client:
        await client.mkdir("/tmp-dir")
        await put(client, "/tmp-dir/a.csv.part")
    async with house.sftp() as client:
        assert (await client.stat("/tmp-dir/a.csv.part")).size == len(BODY)
    async with house.sftp() as client:
        await client.rename("/tmp-dir/a.csv.part", "/partial/a.csv")
        (upload,) = await house.received(1)
    assert (upload.path, upload.mode) == ("partial/a.csv", Mode.PARTIAL)


async def test_a_rename_while_the_file_is_open_takes_effect_at_its_close(house):
    async with house.sftp() as client:
        file = await client.open("/a.tmp", "wb")
        await file.write(BODY)
        await client.rename("/a.tmp", "/a.csv")
        await asyncio.sleep(0.3)
        assert house.history() == []
        await file.close()
        (upload,) = await house.received(1)
    assert upload.path == "a.csv"


async def test_plain_rename_onto_a_name_under_way_fails_and_posix_rename_replaces(open_house):
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        await put(client, "/a.csv", b"old")
        await put(client, "/a.tmp", b"new!")
        with pytest.raises(asyncssh.SFTPFailure, match="still being received"):
            await client.rename("/a.tmp", "/a.csv")
        await client.posix_rename("/a.tmp", "/a.csv")
        assert (await client.stat("/a.csv")).size == 4
        assert not await client.exists("/a.tmp")
        house.rest()
        found = await house.received(2)
    assert [house.bytes_of(upload) for upload in found] == [b"old", b"new!"]


async def test_rename_onto_an_accepted_name_is_a_new_upload(house):
    async with house.sftp() as client:
        await put(client, "/a.csv", b"old")
        await house.received(1)
        await put(client, "/a.tmp", b"new")
        await client.rename("/a.tmp", "/a.csv")
        _, second = await house.received(2)
        async with client.open("/a.csv", "rb") as file:
            assert await file.read() == b"new"
    assert (second.path, house.bytes_of(second)) == ("a.csv", b"new")


async def test_remove_and_rename_in_the_manner_of_winscp_and_lftp(house):
    async with house.sftp() as client:
        await put(client, "/a.csv", b"old")
        await house.received(1)
        await put(client, "/a.csv.filepart", b"new")
        await client.remove("/a.csv")
        await client.rename("/a.csv.filepart", "/a.csv")
        await client.utime("/a.csv", (1_000_000_000, 1_000_000_000))
        await house.received(2)
        assert (await client.stat("/a.csv")).mtime == 1_000_000_000
    assert [upload.state for upload in house.history()] == [State.RECEIVED] * 2


async def test_renaming_an_accepted_name_changes_only_the_view(house):
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await house.received(1)
        await client.mkdir("/done")
        await client.rename("/a.csv", "/done/b.csv")
        await client.rename("/done", "/inbox/old")
        async with client.open("/old/b.csv", "rb") as file:
            assert await file.read() == BODY
        await put(client, "/z.csv")
        await house.received(2)
    assert [upload.path for upload in house.history()] == ["a.csv", "z.csv"]


@pytest.mark.parametrize(("target", "mode"), [("/inbox/a.csv", Mode.FULL), ("/partial/b.csv", Mode.PARTIAL)])
async def test_from_test_into_the_inbox_submits_the_same_bytes(house, target, mode):
    async with house.sftp() as client:
        await put(client, "/test/a.csv")
        (first,) = await house.received(1)
        await house.quiet()
        await client.rename("/test/a.csv", target)
        _, second = await house.received(2)
        assert not await client.exists("/test/a.csv")
        async with client.open(target, "rb") as file:
            assert await file.read() == BODY
    assert (first.mode, second.mode, second.sha256, second.path) == (Mode.TEST, mode, first.sha256, target[1:])


async def submit_from_test(house, client):
    """Have a file tested, and then sent by a new name."""
    await put(client, "/test/a.csv")
    house.rest()
    await house.received(1)
    await house.quiet()
    await client.rename("/test/a.csv", "/a.csv")


async def test_what_was_submitted_from_test_can_be_written_on_before_it_settles(open_house):
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        await submit_from_test(house, client)
        async with client.open("/a.csv", asyncssh.FXF_WRITE | asyncssh.FXF_APPEND, encoding=None) as file:
            await file.write(b"more")
        house.rest()
        first, second = await house.received(2)
    assert (house.bytes_of(first), house.bytes_of(second)) == (BODY, BODY + b"more")


async def test_what_was_taken_in_by_a_process_that_died_before_its_draft_was_gone_keeps_its_bytes(open_house):
    """Its staging file and its blob are one file: what is written on there would be written into what was tested."""
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        await submit_from_test(house, client)
        (row,) = house.rows()
        with house.files.local(Area.SOURCES, row.sha256) as blob:
            house.homes.staging.file(row.id).hardlink_to(blob)
        async with client.open("/a.csv", asyncssh.FXF_WRITE | asyncssh.FXF_APPEND, encoding=None) as file:
            await file.write(b"more")
        house.rest()
        first, second = await house.received(2)
    assert (house.bytes_of(first), house.bytes_of(second)) == (BODY, BODY + b"more")


async def test_what_was_submitted_from_test_is_taken_in_although_it_could_not_be_written_on(open_house, monkeypatch):
    house = await open_house(settle_seconds=20)

    def full(source, target, _length):
        target.write(source.read(3))
        raise OSError(errno.ENOSPC, "No space left on device")

    async with house.sftp() as client:
        await submit_from_test(house, client)
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "copyfileobj", full)
            with pytest.raises(asyncssh.SFTPError):
                await client.open("/a.csv", "ab")
        house.rest()
        first, second = await house.received(2)
    assert (second.state, second.mode, house.bytes_of(second)) == (State.RECEIVED, Mode.FULL, house.bytes_of(first))


async def test_removing_an_accepted_file_takes_back_nothing(house):
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await house.received(1)
        await client.remove("/a.csv")
        assert not await client.exists("/a.csv")
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await client.remove("/a.csv")
    (upload,) = house.history()
    assert upload.state is State.RECEIVED and house.bytes_of(upload) == BODY


async def test_removing_a_draft_before_it_settles_takes_it_back(open_house):
    house = await open_house(settle_seconds=20)
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await client.remove("/a.csv")
        file = await client.open("/b.csv", "wb")
        await file.write(BODY)
        await client.remove("/b.csv")
        await file.close()
        await put(client, "/z.csv")
        house.rest()
        await house.received(1)
    await house.quiet()
    assert [upload.path for upload in house.history()] == ["z.csv"]
    assert house.staged() == []


async def test_directories_are_made_listed_and_removed(house):
    async with house.sftp() as client:
        await client.makedirs("/inbox/2026/spring")
        for taken in ("/inbox/2026", "/inbox", "/", "/errors", "/2026"):
            with pytest.raises(asyncssh.SFTPFailure, match="exists already"):
                await client.mkdir(taken)
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await client.mkdir("/inbox/none/x")
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await put(client, "/inbox/none/a.csv")
        await put(client, "/2026/spring/a.csv")
        with pytest.raises(asyncssh.SFTPFailure, match="not empty"):
            await client.rmdir("/2026/spring")
        with pytest.raises(asyncssh.SFTPFailure, match="directory"):
            await client.remove("/2026/spring")
        with pytest.raises(asyncssh.SFTPFailure, match="directory"):
            await client.open("/2026/spring", "wb")
        (upload,) = await house.received(1)
        await client.remove("/2026/spring/a.csv")
        await client.rmdir("/2026/spring")
        assert await client.listdir("/inbox/2026") == [".", ".."]
    assert upload.path == "2026/spring/a.csv"
    async with house.sftp() as later:
        assert "2026" in await later.listdir("/")
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await later.listdir("/none")


async def test_every_name_that_is_shown_can_be_asked_for(house):
    """A name in cp1252 is longer in UTF-8, and a directory may be moved with what lies deep below it."""
    async with house.sftp() as client:
        with pytest.raises(asyncssh.SFTPFailure, match="this one has 404"):
            await client.open(b"/" + b"\xe9" * 200 + b".csv", "wb")
        await put(client, b"/" + b"\xe9" * 120 + b".csv")
        assert (await client.stat("/" + "é" * 120 + ".csv")).size
        await client.makedirs("/" + "/".join(f"d{number}" for number in range(25)))
        await client.makedirs("/" + "/".join(f"e{number}" for number in range(10)))
        with pytest.raises(asyncssh.SFTPFailure, match="too long or too deep"):
            await client.rename("/d0", "/" + "/".join(f"e{number}" for number in range(10)) + "/d0")
        assert await client.isdir("/d0/d1")


async def test_what_the_gateway_made_can_be_read_and_nothing_else(house):
    house.list_file("receipts", "a.csv.1.json", b"{}")
    house.list_file("", "README.txt", b"hello")
    async with house.sftp() as client:
        assert (await client.stat("/receipts/a.csv.1.json")).size == 2
        assert "a.csv.1.json" in await client.listdir("/receipts")
        assert "README.txt" in await client.listdir("/")
        async with client.open("/receipts/a.csv.1.json", "rb") as file:
            house.list_file("receipts", "a.csv.1.json", b"{ }")
            assert await file.read() == b"{}"
        assert (await client.stat("/receipts/a.csv.1.json")).size == 3
        for path in ("/receipts/x.json", "/README.txt", "/history.csv", "/errors", "/inbox"):
            with pytest.raises((asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure)):
                await put(client, path)
        for path in ("/receipts/a.csv.1.json", "/README.txt", "/errors"):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await client.remove(path)
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await client.rename("/receipts/a.csv.1.json", "/inbox/a.json")
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await client.mkdir("/errors/mine")
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await client.rmdir("/inbox")
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await client.stat("/receipts/none.json")
        await client.setstat("/receipts", asyncssh.SFTPAttrs(mtime=1, atime=1))
    async with house.sftp("bolt") as stranger:
        assert not await stranger.exists("/receipts/a.csv.1.json")
    await house.until(lambda: [upload.state for upload in house.history()] == [State.REFUSED] * 5)
    assert {upload.reasons[0]["code"] for upload in house.history()} == {"not_allowed"}


async def test_links_are_not_supported_and_the_quota_is_the_disk(house):
    async with house.sftp() as client:
        await put(client, "/a.csv")
        for request in (client.symlink("/a.csv", "/b.csv"), client.link("/a.csv", "/c.csv"), client.readlink("/a.csv")):
            with pytest.raises(asyncssh.SFTPOpUnsupported):
                await request
        disk = await client.statvfs("/")
        assert disk.bfree < disk.blocks and disk.ffree == disk.files - 1


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"", b"/"),
        (b".", b"/"),
        (b"/../../x", b"/x"),
        (b"a/./b/../c", b"/a/c"),
        (b"/inbox/", b"/inbox"),
        (b"//a//", b"/a"),
    ],
)
async def test_paths_are_made_absolute_and_never_leave_the_home(house, path, shown):
    async with house.sftp() as client:
        assert await client.realpath(path) == shown


@pytest.mark.parametrize(
    "name",
    ["a b.csv", "käse.csv".encode().decode(), "x" * 251 + ".csv", "-rf", "*?[a].csv", "'\"`$(id).csv", "\U0001f600"],
)
async def test_any_name_is_only_a_name(house, name):
    async with house.sftp() as client:
        await put(client, f"/inbox/{name}")
        (upload,) = await house.received(1)
        assert name in await client.listdir("/inbox")
    assert upload.name == name


async def test_a_latin_1_name_is_found_again_by_its_bytes(house):
    async with house.sftp() as client:
        handle = await client.open(b"/inbox/caf\xe9.csv", "wb")
        await handle.write(BODY)
        await handle.close()
        (upload,) = await house.received(1)
        assert (await client.stat(b"/inbox/caf\xe9.csv")).size == len(BODY)
        assert "café.csv" in await client.listdir("/inbox")
    assert upload.name == "café.csv"


@pytest.mark.parametrize("name", [b"a\nb.csv", b"a\x00b", b"\x1b[2J", b"a\xe2\x80\xaevsc.exe", b"x" * 256, b"\xc2\x85"])
async def test_a_name_that_could_mislead_is_refused_and_stands_escaped_in_the_history(house, name):
    async with house.sftp() as client:
        with pytest.raises(asyncssh.SFTPFailure, match=r"name|bytes"):
            await client.open(b"/inbox/" + name, "wb")
        with pytest.raises(asyncssh.SFTPFailure):
            await client.stat(b"/inbox/" + name)
    refused = await house.state(State.REFUSED)
    assert refused.reasons[0]["code"] == "name_refused"
    assert refused.path.isprintable()


async def test_what_the_store_did_not_take_is_not_in_the_view(house, monkeypatch):
    def away(*_):
        raise errors.StoreUnreachable("gone")

    async with house.sftp() as client:
        await client.mkdir("/kept")
        await put(client, "/a.csv")
        await house.received(1)
        await put(client, "/b.csv.tmp")
        await house.until(lambda: len(house.rows()) == 3)
        with monkeypatch.context() as patched:
            patched.setattr(house.homes.ledger, "_commit", away)
            for request in (client.mkdir("/new"), client.rmdir("/kept"), client.posix_rename("/b.csv.tmp", "/a.csv")):
                with pytest.raises(asyncssh.SFTPFailure, match="gone"):
                    await request
            assert await client.exists("/kept")
            assert await client.exists("/a.csv")
            assert not await client.exists("/new")
        await client.mkdir("/new")
        await client.rmdir("/kept")
        await client.posix_rename("/b.csv.tmp", "/a.csv")
        assert {str(row.path) for row in house.rows()} == {"inbox/new", "inbox/a.csv"}


async def test_the_catalog_lists_the_change_files_of_the_last_thirty_versions(house):
    for number in range(999_970, 1_000_003):
        house.list_file("catalog", f"v{number:06}.changes.csv", b"op\r\n" * number.bit_count())
    house.list_file("catalog", "current.csv", b"sku\r\n")
    async with house.sftp() as client:
        names = set(await client.listdir("/catalog"))
    assert names - {".", ".."} == {"current.csv"} | {f"v{number}.changes.csv" for number in range(999_973, 1_000_003)}
