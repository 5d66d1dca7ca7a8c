"""Checksum and marker files: which file they speak of, and when they are heard."""

import hashlib

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
