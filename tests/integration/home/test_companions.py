"""Checksum and marker files: which file they speak of, and when they are heard."""

import hashlib

import pytest

from sftp_gateway.brand import BrandSettings
from sftp_gateway.upload import State

BODY = b"sku,name\n1,one\n"
RIGHT = hashlib.sha256(BODY).hexdigest()
WRONG = "1" * 64


async def put(client, path, body=BODY):
    async with client.open(path, "wb") as file:
        await file.write(body)


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
