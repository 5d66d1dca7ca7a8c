"""What was refused as never completed, and is whole after all: ops lift it by `retry`, as its receipt says."""

import asyncio
import gzip

import asyncssh
import pytest

from sftp_gateway import errors
from sftp_gateway.store import uploads
from sftp_gateway.upload import State
from tests import whole


async def ended(store, count, states):
    """Wait until so many uploads stand in one of these states; gives them by name, the newest of each."""
    async with asyncio.timeout(30):
        while True:
            found, _ = uploads.listing(store, brand="acme")
            if sum(upload.state in states for upload in found) == count:
                return {upload.name: upload for upload in reversed(found)}
            await asyncio.sleep(0.02)


async def test_a_retry_takes_what_was_never_completed_for_complete(gateway):
    intake = {"INCOMPLETE_AFTER": "0.2 s", "ABANDONED_AFTER": "0.6 s"}
    gateway.start(**{f"SFTP_GATEWAY_INTAKE__{name}": value for name, value in intake.items()})
    catalog = whole.catalog(20)
    packed = gzip.compress(catalog.encode())[:-12]
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp:
        for name, data in (("a.csv", catalog.encode()), ("b.csv.gz", packed)):
            file = await sftp.open(f"/{name}", "wb", attrs=asyncssh.SFTPAttrs(size=len(data) + 1))
            await file.write(data)
            await file.close()
    with gateway.store() as store:
        refused = await ended(store, 2, {State.REFUSED})
        assert {upload.reasons[0]["code"] for upload in refused.values()} == {"FILE_INCOMPLETE"}
        for upload in refused.values():
            assert uploads.retry(store, upload.id, "ops").complete
        lifted = await ended(store, 4, {State.REFUSED, State.PUBLISHED})
    assert lifted["a.csv"].state is State.PUBLISHED
    assert lifted["b.csv.gz"].state is State.REFUSED
    assert [reason["code"] for reason in lifted["b.csv.gz"].reasons] == ["FILE_TRUNCATED"]


async def test_what_was_refused_before_it_came_cannot_be_retried_and_that_is_said(gateway):
    gateway.start(SFTP_GATEWAY_LIMITS__MAX_FILE_BYTES="1 KiB")
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp:
        with pytest.raises(asyncssh.SFTPError, match="larger"):
            await sftp.open("/a.csv", "wb", attrs=asyncssh.SFTPAttrs(size=5000))
    with gateway.store() as store:
        refused = await ended(store, 1, {State.REFUSED})
        with pytest.raises(errors.WrongState, match=r"refused before its bytes were taken in.*send the file again"):
            uploads.retry(store, refused["a.csv"].id, "ops")
