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
