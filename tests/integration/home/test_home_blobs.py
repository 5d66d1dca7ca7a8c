"""Reading back what is a blob by now, where that takes its time: S3, or a disk of another host that does not answer."""

import asyncio
import contextlib
import os
import threading
from pathlib import Path

import asyncssh
import pytest

from sftp_gateway import settings

BODY = b"sku,name\n1,one\n" * 200_000


async def put(house, path):
    async with house.sftp() as client, client.open(path, "wb") as file:
        await file.write(BODY)
    (upload,) = await house.received(1)
    await house.quiet()
    return upload


async def read(client, size):
    async with client.open("/a.csv", "rb") as file:
        return await file.read(size)


def fetched(house):
    """List the files without a name that this process has open below staging."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return [
        path for path in found if path.startswith(str(house.root / "staging/scratch")) and path.endswith("(deleted)")
    ]


async def test_a_blob_that_is_slow_to_open_stops_no_other_session(house):
    upload = await put(house, "/a.csv")
    blob = house.root / "blobs" / upload.sha256[:2] / upload.sha256
    blob.unlink()
    os.mkfifo(blob)  # who opens it waits for the other end, as long as that takes
    released = threading.Event()

    def release():
        released.set()
        os.close(os.open(blob, os.O_WRONLY))

    timer = threading.Timer(5, release)
    timer.daemon = True
    async with house.sftp() as reader, house.sftp() as other:
        timer.start()
        opening = asyncio.create_task(read(reader, 10))
        for _ in range(20):  # the OPEN is on its way meanwhile
            assert (await other.stat("/a.csv")).size == len(BODY)
        assert not released.is_set() and not opening.done()
        timer.cancel()
        await asyncio.to_thread(release)
        with pytest.raises(asyncssh.SFTPError):  # a file has offsets, this has none
            await opening


@pytest.mark.full
@pytest.mark.timeout(180)
async def test_who_reads_one_file_of_s3_shares_its_copy_and_nobody_fetches_one_onto_a_full_disk(open_house, s3_files):
    house = await open_house(files=s3_files)
    upload = await put(house, "/a.csv")
    assert upload.bytes == len(BODY)
    async with house.sftp() as client:
        handles = [await client.open("/a.csv", "rb") for _ in range(20)]
        assert len(fetched(house)) == 1
        for handle in handles:
            assert await handle.read() == BODY
            await handle.close()
        assert fetched(house) == []
        house.homes.limit(settings.Limits(disk_floor_bytes=1 << 60))
        with pytest.raises(asyncssh.SFTPFailure, match="no room"):
            await client.open("/a.csv", "rb")
        house.homes.limit(settings.Limits(disk_floor_bytes=0))
        async with client.open("/a.csv", "rb") as file:
            assert await file.read() == BODY
