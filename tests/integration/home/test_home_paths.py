"""Any bytes as a path, over the wire: they stay names in the brand's own home, or are refused; the session goes on."""

import asyncio
import contextlib
import re
import unicodedata

import asyncssh
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sftp_gateway.sftp import names

SECRET = b"sku,name,msrp\nB-1,Secret of bolt,1.00\n"
MINE = b"sku,name,msrp\nA-1,Chair,1.00\n"
STAGED = re.compile(r"[0-9a-f]{32}(\.copy|\.claim)?")
"""An id, or what a claim has beside it while it runs: names of the gateway, never of a client."""

HOSTILE = st.sampled_from([
    b"..", b".", b"", b"\0", b"a\0b", b"a\r\nb", b"\n", b"\x1b[2J", b"\x7f", "a\u202egpj.csv".encode(), "\u2066a".encode(),
    "\u2028".encode(), b"x" * 255, b"x" * 256, "é".encode() * 128, b"\xff\xfe", b"caf\xe9.csv", b"\xc0\xaf", b"\xed\xa0\x80",
    b"\x81", b"bolt", b"acme", b"etc", b"passwd", b"staging", b"gateway.db", b"keys", b"\\..\\", b"C:", b"~", b"-rf",
])  # fmt: skip
PART = st.one_of(
    HOSTILE, st.binary(min_size=1, max_size=12), st.sampled_from([b"inbox", b"partial", b"receipts", b"a.csv"])
)
PATH = st.builds(lambda lead, parts: lead + b"/".join(parts), st.sampled_from([b"", b"/", b"//", b"/inbox/"]),
                 st.lists(PART, min_size=1, max_size=5))  # fmt: skip


async def use(client, path, other):
    """Do all that a client can do with a path; an answer of SFTP is an answer, anything else is a fault."""
    with contextlib.suppress(asyncssh.SFTPError):
        shown = await client.realpath(path)
        assert shown.startswith(b"/") and b".." not in shown.split(b"/")
        assert not any(unicodedata.category(char) == "Cc" for char in shown.decode())
    with contextlib.suppress(asyncssh.SFTPError):
        async with client.open(path, "wb") as file:
            await file.write(MINE)
    with contextlib.suppress(asyncssh.SFTPError):
        async with client.open(path, "rb") as file:
            assert await file.read() == MINE
    for request in (client.stat(path), client.mkdir(path), client.rename(other, path), client.posix_rename(path, other),
                    client.chmod(path, 0o777), client.symlink(path, other), client.remove(path), client.rmdir(path)):  # fmt: skip
        with contextlib.suppress(asyncssh.SFTPError):
            await request
    assert await client.exists(b"/README.txt") in {True, False}


def on_disk(root):
    """What lies around and in the gateway's folder, but for what only the gateway names."""
    return sorted(str(path) for folder in (root.parent, root) for path in folder.iterdir() if "-wal" not in path.name)


def judge(house):
    for row in house.rows():
        assert row.path is None or row.path.split("/")[0] in {"inbox", "partial", "test"}
        for part in (row.path or "").split("/"):
            assert part not in {".", ".."} and len(part.encode()) <= 2 * names.LONGEST_NAME_BYTES
            assert not any(unicodedata.category(char) == "Cc" for char in part)
    assert all("\n" not in upload.path and "\r" not in upload.path for upload in house.history())
    assert all(STAGED.fullmatch(name) for name in house.staged())


async def any_path_is_contained(house, path, other):
    before = await asyncio.to_thread(on_disk, house.root)
    async with house.sftp("bolt") as bolt:
        if not await bolt.exists("/secret.csv"):
            async with bolt.open("/secret.csv", "wb") as file:
                await file.write(SECRET)
        async with house.sftp() as client:
            await use(client, path, other)
            await use(client, other, path)
        async with bolt.open("/secret.csv", "rb") as file:
            assert await file.read() == SECRET
        assert set(await bolt.listdir("/inbox")) - {".", ".."} == {"secret.csv"}
    assert await asyncio.to_thread(on_disk, house.root) == before
    await asyncio.to_thread(judge, house)


SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@given(path=PATH, other=PATH)
@settings(max_examples=25, deadline=None, suppress_health_check=SHARED)
async def test_any_path_stays_in_its_home(house, path, other):
    await any_path_is_contained(house, path, other)


@pytest.mark.full
@pytest.mark.timeout(300)
@given(path=PATH, other=PATH)
@settings(max_examples=150, deadline=None, suppress_health_check=SHARED)
async def test_any_of_many_paths_stays_in_its_home(house, path, other):
    await any_path_is_contained(house, path, other)
