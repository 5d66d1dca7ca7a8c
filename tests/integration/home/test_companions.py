"""Checksum and marker files: which file they speak of, and when they are heard."""

import hashlib
from datetime import timedelta

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.store.drafts import Place
from sftp_gateway.upload import State

BODY = b"sku,name\n1,one\n"
RIGHT = hashlib.sha256(BODY).hexdigest()
WRONG = "1" * 64


async def put(client, path, body=BODY):
    async with client.open(path, "wb") as file:
        await file.write(body)


async def settled(house, path):
    """Wait until the intake has looked at a companion."""

    def looked_at():
        [row] = [row for row in house.rows() if row.path == path] or [None]
        return row and (row.place is Place.SPENT or (row.due_at and row.due_at - row.changed_at > timedelta(hours=1)))

    await house.until(looked_at)


async def test_a_list_of_checksums_may_name_other_files_whose_names_end_alike(house):
    async with house.sftp() as client:
        await put(client, "/s.csv.sha256", f"{WRONG}  my-s.csv\n{RIGHT}  s.csv\n".encode())
        await put(client, "/s.csv")
        await house.state(State.RECEIVED)


@pytest.mark.parametrize("kind", ["SHA256", "Sha256", "MD5", "Md5"])
async def test_a_checksum_file_in_capitals_is_compared(house, kind):
    async with house.sftp() as client:
        await put(client, f"/a.csv.{kind}", hashlib.new(kind.lower(), b"other").hexdigest().encode())
        await put(client, "/a.csv")
        upload = await house.state(State.REFUSED)
    assert f"a.csv.{kind} says" in upload.reasons[0]["text"]


@pytest.mark.parametrize("written", [".DONE", ".Done", ".done"])
@pytest.mark.parametrize("agreed", [".done", ".Done"])
async def test_a_marker_file_in_capitals_is_heard(open_house, written, agreed):
    house = await open_house(brand=BrandSettings(marker=agreed))
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await put(client, f"/a.csv{written}", b"")
        await house.state(State.RECEIVED)


async def test_a_marker_that_comes_late_completes_its_file_under_the_same_id(open_house):
    house = await open_house(brand=BrandSettings(marker=".done"), incomplete_after=0.3)
    async with house.sftp() as client:
        await put(client, "/a.csv")
        late = await house.state(State.UNFINISHED)
        await put(client, "/a.csv.done", b"")
        upload = await house.state(State.RECEIVED)
    assert upload.id == late.id
    assert house.bytes_of(upload) == BODY


async def test_a_marker_completes_no_file_whose_connection_broke(open_house):
    house = await open_house(brand=BrandSettings(marker=".done"), incomplete_after=0.3)
    async with house.connect() as conn:
        client = await conn.start_sftp_client()
        file = await client.open("/a.csv", "wb")
        await file.write(BODY)
        conn.abort()
    await house.state(State.UNFINISHED)
    async with house.sftp() as client:
        await put(client, "/a.csv.done", b"")
        await put(client, "/b.csv")  # told as unfinished long after the marker has settled
        await house.received(2)
    assert {upload.state for upload in house.history()} == {State.UNFINISHED}


@pytest.mark.parametrize("kind", ["sha256", "md5"])
async def test_a_checksum_that_comes_after_its_file_was_taken_in_says_nothing_of_the_next_one(house, kind):
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await house.received(1)
        await put(client, f"/a.csv.{kind}", f"{hashlib.new(kind, BODY).hexdigest()}  a.csv\n".encode())
        await settled(house, f"inbox/a.csv.{kind}")
        await put(client, "/a.csv", b"sku,name\n2,two\n")
        await house.received(2)
    assert [upload.state for upload in house.history()] == [State.RECEIVED, State.RECEIVED]


@pytest.mark.parametrize("right", [True, False])
async def test_a_checksum_that_does_not_fit_the_file_before_waits_for_the_next_one(house, right):
    after = b"sku,name\n2,two\n"
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await house.received(1)
        await put(client, "/a.csv.sha256", hashlib.sha256(after if right else b"other").hexdigest().encode())
        await settled(house, "inbox/a.csv.sha256")
        await put(client, "/a.csv", after)
        end = State.RECEIVED if right else State.REFUSED
        await house.until(lambda: [upload.state for upload in house.history()] == [State.RECEIVED, end])


AFTER = b"sku,name\n2,two\n"


async def resting(house, path):
    """Wait until the intake has seen that a file lacks its marker."""
    await house.until(
        lambda: any(
            row.path == path and row.due_at and row.due_at - row.changed_at > timedelta(seconds=0.8)
            for row in house.rows()
        )
    )


@pytest.mark.parametrize("way", ["truncation", "posix-rename"])
async def test_a_file_that_is_replaced_before_its_marker_came_never_goes_live(open_house, way):
    house = await open_house(brand=BrandSettings(marker=".done"), incomplete_after=1)
    async with house.sftp() as client:
        await put(client, "/a.csv")
        await resting(house, "inbox/a.csv")
        if way == "truncation":
            await put(client, "/a.csv", AFTER)
        else:
            await put(client, "/a.csv.part", AFTER)
            await client.posix_rename("/a.csv.part", "/a.csv")
        await put(client, "/a.csv.done", b"")
        await house.received(1)
        await house.until(lambda: {row.path for row in house.rows()} == {"inbox/a.csv", "inbox/a.csv.done"})
    assert [house.bytes_of(upload) for upload in house.history()] == [AFTER]
    assert len(house.staged()) == 1  # the marker


async def test_a_file_whose_marker_had_come_is_taken_in_before_the_one_that_replaces_it(open_house):
    house = await open_house(brand=BrandSettings(marker=".done"), settle_seconds=20)
    async with house.sftp() as client:
        for body in (BODY, AFTER):
            await put(client, "/partial/a.csv", body)
            await put(client, "/partial/a.csv.done", b"")
        house.rest()
        found = await house.received(2)
    assert [house.bytes_of(upload) for upload in found] == [BODY, AFTER]


async def test_a_file_that_lost_its_name_while_it_was_written_has_no_marker(open_house):
    house = await open_house(brand=BrandSettings(marker=".done"))
    async with house.sftp() as client, house.sftp() as other:
        first = await client.open("/a.csv", "wb")
        await first.write(BODY)
        await put(other, "/a.csv", AFTER)
        await first.close()
        await put(other, "/a.csv.done", b"")
        await house.received(1)
        await house.until(lambda: {row.path for row in house.rows()} == {"inbox/a.csv", "inbox/a.csv.done"})
    assert [house.bytes_of(upload) for upload in house.history()] == [AFTER]


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
async def test_a_checksum_that_powershell_wrote_is_read(house, encoding, right):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    said = f"{mark}SHA256   {(RIGHT if right else WRONG).upper()}   C:\\out\\a.csv\r\n"
    async with house.sftp() as client:
        await put(client, "/a.csv.sha256", said.encode(encoding))
        await put(client, "/a.csv")
        upload = await house.state(State.RECEIVED if right else State.REFUSED)
    assert right or f"says {WRONG}" in upload.reasons[0]["text"]
