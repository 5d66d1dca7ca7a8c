"""`kill -9` of everything around uploads: what was acknowledged is there once, whole, and published once."""

import asyncio
import contextlib
import hashlib
import random
import time
from collections import Counter
from pathlib import Path

import asyncssh
import pytest

from sftp_gateway.store import jobs, uploads, versions
from sftp_gateway.upload import State
from tests import whole

BRANDS = ("acme", "globex")
LONGEST_LIFE = 1.5
"""In lives without a kill: so that a third of them see a file published, however slow the machine is."""
FILES_A_LIFE = 5
"""As many as are worked off in a life or so: then kills meet every stage, not only the sending."""


class Client:
    """Sends some files, one after another, while somebody listens; remembers what was acknowledged."""

    def __init__(self, gateway, brand, dice):
        self.gateway, self.brand, self.dice = gateway, brand, dice
        self.sent, self.acknowledged = {}, {}

    async def run(self):
        # Whatever the death of the server does to a client is no concern of this test.
        with contextlib.suppress(asyncssh.Error, OSError, asyncio.IncompleteReadError):
            async with self.gateway.connect(self.brand) as connection, connection.start_sftp_client() as sftp:
                for _ in range(FILES_A_LIFE):
                    await self._send(sftp)

    async def _send(self, sftp):
        number = len(self.sent)
        text = whole.catalog(self.dice.randint(1, 400), price=number + 1)
        name = f"{self.brand}-{number}.csv"
        self.sent[name] = hashlib.sha256(text.encode()).hexdigest()
        file = await sftp.open(f"/inbox/{name}", "w")
        for start in range(0, len(text), 4096):
            await file.write(text[start : start + 4096])
        await file.close()
        # This client's close says nothing at all when the connection is gone already: no answer, no acknowledgement.
        if sftp._handler._writer is None:
            raise asyncssh.SFTPConnectionLost("gone before CLOSE was answered")
        self.acknowledged[name] = self.sent[name]


def child_processes(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(path.parent.name))
    return [*found, *(grandchild for one in found for grandchild in child_processes(one))]


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


async def live_and_die(gateway, clients, seconds):
    gateway.start()
    running = [asyncio.create_task(client.run()) for client in clients]
    await asyncio.sleep(seconds)
    family = child_processes(gateway.running.pid)
    gateway.kill()
    await asyncio.wait(running)
    until = time.monotonic() + 30
    while not all(map(is_gone, family)):
        assert time.monotonic() < until, f"processes outlive the daemon: {family}"
        await asyncio.sleep(0.01)


async def life_seconds(gateway, clients):
    """How long it takes from a start until a file of each client is published."""
    begun = time.monotonic()
    gateway.start()
    await asyncio.gather(*(client.run() for client in clients))
    with gateway.store() as store:
        while not all(versions.listing(store, client.brand) for client in clients):
            assert time.monotonic() < begun + 60, "nothing is published"
            await asyncio.sleep(0.02)
    seconds = time.monotonic() - begun
    assert gateway.stop() == 0
    return seconds


def at_rest(store):
    return not jobs.pending(store).total


def everything(store, brand):
    found, before = [], None
    while True:
        page, before = uploads.listing(store, brand=brand, limit=500, before=before)
        found += page
        if before is None:
            return found


def check(store, client):
    """Hold the promise for one brand."""
    found = everything(store, client.brand)
    by_name = Counter(upload.name for upload in found if upload.state is not State.UNFINISHED)
    for name, digest in client.acknowledged.items():
        mine = [upload for upload in found if upload.name == name]
        assert len(mine) == 1, f"{name} was acknowledged and is there {len(mine)} times"
        assert mine[0].sha256 == digest, f"{name} is not what was sent"
        assert mine[0].state is State.PUBLISHED, f"{name} is {mine[0].state}: {mine[0].reasons}"
    assert max(by_name.values(), default=0) <= 1
    whole_ones = set(client.sent.values())
    published = [upload for upload in found if upload.state is State.PUBLISHED]
    assert all(upload.sha256 in whole_ones for upload in published), "a torn file was published"
    line = sorted(versions.listing(store, client.brand), key=lambda version: version.number)
    assert [version.number for version in line] == list(range(1, len(line) + 1))
    assert Counter(version.upload for version in line) == Counter(upload.id for upload in published)
    # In order of arrival: the ids of the uploads that made them rise with the versions.
    assert [version.upload for version in line] == sorted(version.upload for version in line)


async def kill_again_and_again(tmp_path, kills, seed):
    dice = random.Random(seed)
    gateway = whole.Whole(tmp_path, guards__price_share="1.0", guards__removal_share="1.0", guards__key_overlap="0")
    clients = []
    for brand in BRANDS:
        gateway.add_brand(brand)
        clients.append(Client(gateway, brand, dice))
    longest = LONGEST_LIFE * await life_seconds(gateway, clients)
    for _ in range(kills):
        await live_and_die(gateway, clients, dice.uniform(0, longest))
    gateway.start()
    try:
        with gateway.store() as store:
            until = time.monotonic() + 60 + 3 * kills
            # Two looks: what was closed is settled first, then queued.
            calm = 0
            while calm < 10:
                calm = calm + 1 if at_rest(store) else 0
                assert time.monotonic() < until, "the queue does not come to rest"
                await asyncio.sleep(0.1)
            for client in clients:
                check(store, client)
        assert not gateway.events("job.broke")
    finally:
        code = gateway.stop()
    assert code == 0
    assert sum(len(client.acknowledged) for client in clients) >= kills, "too few uploads to say anything"


@pytest.mark.timeout(240)
async def test_nothing_acknowledged_is_lost_torn_or_published_twice(tmp_path):
    await kill_again_and_again(tmp_path, kills=6, seed=1)


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_nothing_acknowledged_is_lost_in_a_hundred_kills(tmp_path):
    await kill_again_and_again(tmp_path, kills=100, seed=2)
