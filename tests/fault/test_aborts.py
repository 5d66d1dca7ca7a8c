"""Uploads that stop in the middle, in every way a client knows: none is published, nothing is removed, each is told."""

import asyncio
import time

import pytest

from sftp_gateway.store import jobs, uploads, versions
from sftp_gateway.upload import State
from tests import whole
from tests.fault import aborts

ALWAYS_FOUND_OUT = {"gzip", "json", "xlsx", "parquet"}
"""Formats whose end is known; rows of a delimited file that end with their line are a smaller file to everybody."""
RECOGNISED = 4
"""Of fewer bytes nobody can tell what they were to become: they may be refused as no catalog."""
WITHOUT_CLOSE = {"reset", "paramiko-reset", "drop", "kill"}


def listed(store, brand):
    found, before = [], None
    while True:
        page, before = uploads.listing(store, brand=brand, limit=500, before=before)
        found += page
        if before is None:
            return {upload.path.removeprefix("inbox/"): upload for upload in found}


async def until(holds, seconds, told):
    deadline = time.monotonic() + seconds
    while not (found := await asyncio.to_thread(holds)):
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.1)
    return found


def judge(abort, upload):
    """Hold one upload that was stopped to the promise."""
    if abort.how in WITHOUT_CLOSE:
        assert upload.state is State.UNFINISHED, (abort, upload)
    elif upload.state is State.PUBLISHED or upload.state is State.UNCHANGED:
        assert abort.kind not in ALWAYS_FOUND_OUT, (abort, upload)
        changes = upload.receipt["changes"]
        assert changes["removed"] == 0 and changes["withheld"] > 0, (abort, changes)
    elif upload.state is State.REFUSED:
        code = upload.receipt["reasons"][0]["code"]
        if abort.at < RECOGNISED:
            assert code.startswith("FILE_"), (abort, upload)
        else:  # cut right behind its header
            assert code in {"FILE_EMPTY", "FILE_NO_VALID_ROW"}, (abort, upload)
            assert abort.kind not in ALWAYS_FOUND_OUT, (abort, upload)
    else:
        assert upload.state in {State.UNFINISHED, State.HELD}, (abort, upload)


async def abort_many(tmp_path, count, seed):
    with whole.Whole(tmp_path) as gateway:
        for kind in aborts.FORMATS:
            gateway.add_brand(kind)
        gateway.start()
        aborter = aborts.Aborter(gateway, tmp_path)
        with gateway.store() as store:
            for kind, content in aborter.contents.items():
                async with (
                    gateway.connect(kind) as connection,
                    connection.start_sftp_client() as sftp,
                    sftp.open(f"/inbox/first.{aborts.FORMATS[kind]}", "wb") as file,
                ):
                    await file.write(content)
            await until(lambda: all(versions.listing(store, kind) for kind in aborts.FORMATS), 60, "no first version")
            planned = aborts.plan(count, seed)
            await aborter.run(planned)
            mine = {kind: [abort for abort in planned if abort.kind == kind] for kind in aborts.FORMATS}

            def at_rest():
                history = {kind: listed(store, kind) for kind in aborts.FORMATS}
                told = all(abort.name in history[kind] for kind in mine for abort in mine[kind])
                moving = {State.RECEIVING, State.RECEIVED, State.PROCESSING}
                calm = all(upload.state not in moving for each in history.values() for upload in each.values())
                return history if told and calm and not jobs.pending(store).total else None

            history = await until(at_rest, 60 + count / 5, "the queue does not come to rest")
            for abort in planned:
                judge(abort, uploads.get(store, history[abort.kind][abort.name].id))
            for kind in aborts.FORMATS:
                assert versions.listing(store, kind)[0].products == aborts.PRODUCTS, kind
        assert gateway.stop() == 0


@pytest.mark.timeout(300)
async def test_nothing_half_gets_in_a_hundred_times(tmp_path):
    await abort_many(tmp_path, 100, seed=1)


@pytest.mark.full
@pytest.mark.timeout(900)
async def test_nothing_half_gets_in_a_thousand_times(tmp_path):
    await abort_many(tmp_path, 1_000, seed=2)
