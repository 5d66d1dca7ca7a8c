"""A real front door before a real home, store and intake; only the worker is missing."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import structlog
from msgspec import structs

from sftp_gateway import blobs, settings
from sftp_gateway.blobs import Files
from sftp_gateway.brand import BrandSettings, Login
from sftp_gateway.intake import claim, watch
from sftp_gateway.sftp import auth, hostkeys, listener
from sftp_gateway.sftp.home import Home
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.store import brands, database, drafts, files, uploads
from sftp_gateway.upload import State, Upload

LOOPBACK = "127.0.0.1"


@dataclass
class House:
    """A running gateway without a worker; `connect()` gives a client, `sftp()` a session of it."""

    root: Path
    store: database.Store
    files: Files
    key: asyncssh.SSHKey
    key_file: Path
    rules: settings.Intake
    stack: contextlib.AsyncExitStack
    front: listener.Listener = field(init=False)
    homes: Homes = field(init=False)
    intake: claim.Intake = field(init=False)
    settling: asyncio.Task[None] = field(init=False)
    jobs: int = 0

    @property
    def port(self) -> int:
        return self.front.port

    def connect(self, user: str = "acme", **options: Any) -> Any:
        known = {"username": user, "client_keys": [self.key], "known_hosts": None, "config": None, "agent_path": None}
        return asyncssh.connect(LOOPBACK, self.port, **(known | options))

    @contextlib.asynccontextmanager
    async def sftp(self, user: str = "acme") -> AsyncIterator[asyncssh.SFTPClient]:
        async with self.connect(user) as conn, conn.start_sftp_client() as client:
            yield client

    def history(self, brand: str = "acme") -> list[Upload]:
        """All uploads that are listed, oldest first, with their findings."""
        found, _ = uploads.listing(self.store, brand=brand, limit=1000)
        return [uploads.get(self.store, upload.id) for upload in reversed(found)]

    def bytes_of(self, upload: Upload) -> bytes:
        with self.files.open(blobs.Area.SOURCES, upload.sha256) as source:
            return source.read()

    def open_drafts(self) -> list[Any]:
        """Give the drafts that are open for writing here."""
        return [draft for view in self.homes._views.values() for draft in view.live.values()]

    def rows(self, brand: str = "acme") -> list[drafts.Entry]:
        with self.store.read() as conn:
            return drafts.load(conn, brand)[1]

    def staged(self) -> list[str]:
        return sorted(path.name for path in (self.root / "staging" / "drafts").iterdir())

    def verdict(self, upload: int, state: State) -> None:
        """Do what a worker would: take an upload through `processing` to its end."""
        with self.store.write() as tx:
            uploads.move(tx, upload, State.PROCESSING)
            uploads.move(tx, upload, state)

    def list_file(self, folder: str, name: str, content: bytes, brand: str = "acme") -> None:
        """Do what a worker would: list a made file in the home."""
        path = self.files.scratch() / "made"
        path.write_bytes(content)
        blob = f"{brand}/{name}.{len(content)}"
        size = self.files.keep(blobs.Area.RESULTS, blob, path)
        with self.store.write() as tx:
            files.replace(tx, brand, files.NewFile(folder, name, blobs.Area.RESULTS, blob, size))

    @staticmethod
    def go_through(drop: watch.Drop) -> None:
        """Take what rested in the drop folders, as a round of the gateway does, brand after brand."""
        for rested in drop.look()[1].values():
            rested.take()

    async def received(self, count: int, seconds: float = 20.0, brand: str = "acme") -> list[Upload]:
        """Wait until so many uploads are in the history."""
        async with asyncio.timeout(seconds):
            while len(found := self.history(brand)) < count:  # noqa: ASYNC110 - the store has no event
                await asyncio.sleep(0.005)
        await self.heard()
        return found

    async def state(self, state: State, seconds: float = 20.0) -> Upload:
        """Wait until the one upload there is has a state."""

        def found() -> Upload | None:
            listed = self.history()
            return listed[0] if [upload.state for upload in listed] == [state] else None

        upload = await self.until(found, seconds)
        await self.heard()
        return upload

    async def heard(self) -> None:
        """Wait until the sessions have heard of what the intake did: the store has it a moment before."""
        await self.until(lambda: not self.intake._busy)

    def rest(self) -> None:
        """Let what was closed have rested: with 20 s to rest, a test that acts before need not be quick, and waits for none."""
        clock, ahead = self.store._clock or database.utc_now, timedelta(seconds=self.rules.settle_seconds)
        self.store._clock = lambda: clock() + ahead
        self.intake._woken.set()

    async def until(self, condition: Callable[[], object], seconds: float = 20.0) -> Any:
        async with asyncio.timeout(seconds):
            while not (result := condition()):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.005)
        return result

    async def quiet(self) -> None:
        """Wait until nothing is left to be settled."""
        await self.until(lambda: all(row.due_at is None for row in self.rows()) and not self.intake._busy)


@pytest.fixture(scope="session")
def brand_key():
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture(scope="session")
def host_keys(tmp_path_factory):
    return hostkeys.load([], tmp_path_factory.mktemp("keys"))


@pytest.fixture
def log_lines():
    with structlog.testing.capture_logs() as lines:
        yield lines


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _root_of(place: Path, host: str) -> Path:
    """Give the root of a host: its own staging directory, the blobs of them all (as with S3)."""
    root = place / host
    for area in blobs.Area if host else ():
        (place / area).mkdir(exist_ok=True)
        root.mkdir(exist_ok=True)
        if not (root / area).exists():
            (root / area).symlink_to(place / area)
    return root


@pytest.fixture
async def open_house(tmp_path, sqlite_template, brand_key, host_keys) -> AsyncIterator[Callable[..., Awaitable[House]]]:
    """Give a function that opens a house (again, on the same root: a restart) by some settings.

    `url`: of a store of its own, not the usual SQLite. `host`: one of several with one store, which share the files.
    """
    async with contextlib.AsyncExitStack() as stack:

        async def opened(
            *,
            limits: settings.Limits | None = None,
            brand: BrandSettings | None = None,
            front: Any = None,
            url: str = "",
            host: str = "",
            files: Files | None = None,
            **rules: Any,
        ) -> House:
            database_file = tmp_path / "gateway.db"
            if not url and not database_file.exists():
                shutil.copyfile(sqlite_template, database_file)
            store = database.open_store(url or f"sqlite:///{database_file}")
            first = not brands.all_brands(store)
            root = _root_of(tmp_path, host)
            key_file = tmp_path / "key"
            if first:
                brands.create(store, "acme", brand or BrandSettings())
                brands.create(store, "bolt")
                brand_key.write_private_key(key_file)
                key_file.chmod(0o600)
            known = auth.parse_public_key(brand_key.export_public_key().decode())
            stored = files or blobs.open_files(settings.Storage(root=root))
            wishes = structs.replace(settings.Intake(settle_seconds=0.1), **rules)
            mine = contextlib.AsyncExitStack()
            await stack.enter_async_context(mine)
            mine.callback(store.close)
            house = House(root, store, stored, brand_key, key_file, wishes, mine)

            def count_job() -> None:
                house.jobs += 1

            house.homes = Homes(
                store,
                stored,
                intake=wishes,
                limits=limits or settings.Limits(disk_floor_bytes=0),
                retention=settings.Retention(),
                wake=lambda: house.intake.wake(),  # noqa: PLW0108 - there is no intake yet
            )
            mine.push_async_callback(house.homes.aclose)
            mine.push_async_callback(_end, asyncio.create_task(house.homes.run()))
            house.intake = claim.Intake(store, stored, wishes, house.homes.learn, count_job, replay=house.homes.replay)
            await mine.enter_async_context(house.intake)
            house.settling = asyncio.create_task(house.intake.run())
            mine.push_async_callback(_end, house.settling)
            house.front = listener.Listener(
                settings.Sftp(host=LOOPBACK, port=0, **(front or {})),
                host_keys,
                lookup=dict.fromkeys(("acme", "bolt"), Login((known,))).get,
                home=lambda channel, session: Home(channel, session, house.homes),
            )
            await mine.enter_async_context(house.front)
            mine.push_async_callback(_end, asyncio.create_task(house.front.run()))
            return house

        yield opened


@pytest.fixture
async def house(open_house) -> House:
    return await open_house()


@pytest.fixture
def drop_folder(house) -> Callable[[Path], Any]:
    """Give a function that watches drop folders of the brands of the house; files over 1,000 bytes are too large."""

    @contextlib.asynccontextmanager
    async def watched(
        place: Path,
        quiet_seconds: float = 0.2,
        rescan_seconds: float = 0.5,
        wake_worker: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[watch.Drop]:
        rules = structs.replace(settings.Intake(), quiet_seconds=quiet_seconds, rescan_seconds=rescan_seconds)
        part = watch.Drop(house.store, house.files, place, rules, 1000, wake_worker)
        async with part:
            running = asyncio.create_task(part.run())
            yield part
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    return watched


@pytest.fixture
async def drop(drop_folder, tmp_path) -> AsyncIterator[watch.Drop]:
    async with drop_folder(tmp_path / "drop") as part:
        yield part
