"""Real clients against the real front door, home and intake: every way brands hand over a file.

Each pair of client and thing it can do is one test. A client that is not installed skips by name.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from sftp_gateway import blobs, settings
from sftp_gateway.intake import claim
from sftp_gateway.sftp import auth, hostkeys, listener
from sftp_gateway.sftp.home import Home
from sftp_gateway.sftp.homes import Homes
from sftp_gateway.store import brands, database, files, uploads
from sftp_gateway.upload import State, Upload
from tests.clients import curl, lftp, libraries, matrix, openssh, place, rclone

SETTLE_SECONDS = 0.15
PASSWORD = "correct horse"
HEADER = b"sku,name,msrp\n"


def rows(count: int, word: bytes = b"Chair") -> bytes:
    return HEADER + b"".join(b"A-%06d,%s %d,%d.00\n" % (n, word, n, n % 90 + 1) for n in range(count))


BIG, SMALL = rows(12_000), rows(900, b"Table")


async def eventually(condition: Callable[[], bool], told: Callable[[], Any] = lambda: "never true") -> None:
    """Wait until something is true; fail with what is told after a deadline."""
    deadline = asyncio.get_running_loop().time() + 15
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, told()
        await asyncio.sleep(0.02)


@dataclass
class Gateway:
    """Front door, home and intake over one folder, without a worker."""

    store: database.Store
    files: blobs.Files
    place: place.Place
    listener: listener.Listener

    async def received(self, count: int, *states: State) -> list[Upload]:
        """Wait until there are so many uploads in one of the states; give all there are, oldest first."""
        wanted = states or (State.RECEIVED,)
        await eventually(
            lambda: len(self.uploads()) >= count and all(each.state in wanted for each in self.uploads()), self.uploads
        )
        found = self.uploads()
        assert len(found) == count, found
        return found

    def uploads(self) -> list[Upload]:
        return list(reversed(uploads.listing(self.store, brand="acme")[0]))

    @contextlib.asynccontextmanager
    async def observer(self) -> AsyncIterator[asyncssh.SFTPClient]:
        """A second session of the same brand."""
        here = self.place
        async with (
            asyncssh.connect(here.host, here.port, username="acme", password=PASSWORD, client_keys=None,
                             known_hosts=None, config=None, agent_path=None) as connection,
            connection.start_sftp_client() as sftp,
        ):  # fmt: skip
            yield sftp

    async def has(self, path: str, content: bytes) -> None:
        """Every session sees the name with this size and these bytes."""
        async with self.observer() as sftp:
            assert await sftp.getsize(path) == len(content)
            async with sftp.open(path, "rb") as file:
                assert await file.read() == content

    async def drop_partial(self, path: str, content: bytes) -> None:
        """Leave the first bytes of a file behind, as a lost connection does."""
        here = self.place
        connection = await asyncssh.connect(
            here.host, here.port, username="acme", password=PASSWORD, client_keys=None, known_hosts=None,
            config=None, agent_path=None,
        )  # fmt: skip
        sftp = await connection.start_sftp_client()
        file = await sftp.open(path, "wb")
        await file.write(content)
        connection.abort()
        await connection.wait_closed()


@pytest.fixture(scope="module")
def foundation(tmp_path_factory) -> Callable[[Path], None]:
    """An empty store with the brand in it, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("foundation")
    key = asyncssh.generate_private_key("ssh-ed25519")
    (folder / "brand_key").write_bytes(key.export_private_key())
    (folder / "brand_key").chmod(0o600)
    store = database.open_store(f"sqlite:///{folder}/gateway.db")
    brands.create(store, "acme")
    brands.add_key(store, "acme", auth.parse_public_key(key.export_public_key().decode()))
    brands.set_password_hash(store, "acme", auth.hash_password(PASSWORD))
    store.close()
    hostkeys.ensure(folder / "keys")
    asyncssh.generate_private_key("ssh-rsa", key_size=2048).write_private_key(folder / "keys" / "rsa")
    (folder / "keys" / "rsa").chmod(0o600)
    return lambda target: shutil.copytree(folder, target)


@pytest.fixture
async def gateway(tmp_path, foundation, request) -> AsyncIterator[Gateway]:
    root = tmp_path / "root"
    foundation(root)
    asked = getattr(request.node, "callspec", None)
    algorithms = getattr(asked and asked.params.get("kind"), "algorithms", "default")
    async with running(root, tmp_path, algorithms) as it:
        yield it


@contextlib.asynccontextmanager
async def running(root: Path, scratch: Path, algorithms: str = "default") -> AsyncIterator[Gateway]:
    store = database.open_store(f"sqlite:///{root}/gateway.db")
    kept = blobs.open_files(settings.Storage(root=root))
    rules = settings.Intake(settle_seconds=SETTLE_SECONDS)
    woken: list[Callable[[], None]] = []
    homes = Homes(
        store,
        kept,
        intake=rules,
        limits=settings.Limits(),
        retention=settings.Retention(),
        wake=lambda: [wake() for wake in woken],
    )
    door = listener.Listener(
        settings.Sftp(host="127.0.0.1", port=0, algorithms=algorithms),
        # Old clients know no ed25519 key: the operator who lets them in gives them an RSA one beside it.
        hostkeys.load(
            [root / "keys" / name for name in (hostkeys.NAME, "rsa")] if algorithms == "legacy" else [],
            root / "keys",
            algorithms,
        ),
        lookup=lambda name: brands.login(store, name),
        home=lambda channel, session: Home(channel, session, homes),
    )
    part = claim.Intake(store, kept, rules, told=homes.learn, wake_worker=lambda: None)
    public = asyncssh.read_private_key(root / "keys" / hostkeys.NAME).export_public_key().decode()
    async with part, door:
        woken.append(part.wake)
        working = asyncio.create_task(part.run())
        where = place.Place(
            port=door.port, key_file=root / "brand_key", password=PASSWORD, host_key=public, scratch=scratch
        )
        yield Gateway(store, kept, where, door)
        await door.drain(0)
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
    await homes.aclose()
    store.close()


def driver(kind: type, here: place.Place) -> Any:
    try:
        return kind(here)
    except place.NotInstalled as missing:
        pytest.skip(f"{kind.name}: {missing}")


def cells(scenario: matrix.Scenario) -> Any:
    """Every client that can do it, and each way it has; some only in the full run."""
    pairs = [(kind, way) for kind in matrix.CLIENTS for way in scenario.methods if callable(getattr(kind, way, None))]

    def param(kind: Any, way: str) -> Any:
        marks = [pytest.mark.cell(scenario.name, kind.name)]
        if kind not in matrix.EVERY_TIME and way not in matrix.FIRST:
            marks.append(pytest.mark.full)
        return pytest.param(kind, way, marks=marks, id=f"{kind.name} {way}")

    return pytest.mark.parametrize(("kind", "way"), [param(*pair) for pair in pairs])


@pytest.fixture
def local(tmp_path) -> Callable[[bytes, str], Path]:
    def write(content: bytes, name: str = "catalog.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        os.utime(path, (1_767_600_000, 1_767_600_000))
        return path

    return write


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cells(matrix.PUT)
async def test_a_plain_put_is_received_once_and_stays_visible(gateway, local, kind, way):
    await getattr(driver(kind, gateway.place), way)(local(BIG), "/inbox/catalog.csv")
    [upload] = await gateway.received(1)
    assert (upload.path, upload.sha256, upload.bytes) == ("inbox/catalog.csv", digest(BIG), len(BIG))
    await gateway.has("/inbox/catalog.csv", BIG)


@cells(matrix.OVERWRITE)
async def test_a_shorter_file_over_an_accepted_one_leaves_no_tail(gateway, local, kind, way):
    client = driver(kind, gateway.place)
    await client.put(local(BIG), "/inbox/catalog.csv")
    await gateway.received(1)
    await client.put(local(SMALL), "/inbox/catalog.csv")
    first, second = await gateway.received(2)
    assert (first.sha256, second.sha256) == (digest(BIG), digest(SMALL))
    await gateway.has("/inbox/catalog.csv", SMALL)


@cells(matrix.TEMPORARY)
async def test_a_temporary_name_is_no_upload_and_its_rename_is_one(gateway, local, kind, way):
    await getattr(driver(kind, gateway.place), way)(local(BIG), "/inbox/catalog.csv")
    [upload] = await gateway.received(1)
    assert (upload.path, upload.sha256) == ("inbox/catalog.csv", digest(BIG))


@cells(matrix.RENAME_OVER)
async def test_a_rename_over_an_accepted_name_is_a_new_upload(gateway, local, kind, way):
    client = driver(kind, gateway.place)
    await client.put(local(BIG), "/inbox/catalog.csv")
    await gateway.received(1)
    await getattr(client, way)(local(SMALL), "/inbox/catalog.csv")
    _, second = await gateway.received(2)
    assert second.sha256 == digest(SMALL)
    await gateway.has("/inbox/catalog.csv", SMALL)


@cells(matrix.REMOVE_FIRST)
async def test_removing_an_accepted_name_before_the_rename_costs_nothing(gateway, local, kind, way):
    client = driver(kind, gateway.place)
    await client.put(local(BIG), "/inbox/catalog.csv")
    await gateway.received(1)
    await getattr(client, way)(local(SMALL), "/inbox/catalog.csv")
    first, second = await gateway.received(2)
    assert (first.sha256, second.sha256) == (digest(BIG), digest(SMALL))


@cells(matrix.RESUME)
async def test_what_a_lost_connection_left_is_resumed_under_its_id(gateway, local, kind, way):
    client = driver(kind, gateway.place)
    await gateway.drop_partial("/inbox/catalog.csv", BIG[:100_000])
    [left] = await gateway.received(1, State.UNFINISHED)
    content = local(BIG if (kind, way) != (curl.Curl, "append") else BIG[100_000:])
    await getattr(client, way)(content, "/inbox/catalog.csv")
    [whole] = await gateway.received(1)
    assert (whole.id, whole.sha256) == (left.id, digest(BIG))


@cells(matrix.PRESERVE)
async def test_a_preserved_time_is_shown(gateway, local, kind, way):
    await getattr(driver(kind, gateway.place), way)(local(SMALL), "/inbox/catalog.csv")
    await gateway.received(1)
    async with gateway.observer() as sftp:
        assert (await sftp.stat("/inbox/catalog.csv")).mtime == 1_767_600_000


@cells(matrix.ATTRIBUTES)
async def test_attributes_may_be_changed_after_acceptance(gateway, local, kind, way):
    client = driver(kind, gateway.place)
    await client.put(local(SMALL), "/inbox/catalog.csv")
    await gateway.received(1)
    await getattr(client, way)("/inbox/catalog.csv")
    await gateway.received(1)
    await gateway.has("/inbox/catalog.csv", SMALL)


@cells(matrix.TREE)
async def test_a_folder_goes_up_although_its_directories_exist(gateway, tmp_path, kind, way):
    tree = tmp_path / "season"
    for name in ("spring.csv", "deep/summer.csv"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(rows(50, name.encode()))
    await getattr(driver(kind, gateway.place), way)(tree, "/inbox")
    wanted = {f"inbox/season/{name}" for name in ("spring.csv", "deep/summer.csv")}
    await eventually(lambda: wanted == {each.path for each in gateway.uploads() if each.state is State.RECEIVED})
    async with gateway.observer() as sftp:
        for name in ("spring.csv", "deep/summer.csv"):
            assert await sftp.getsize(f"/inbox/season/{name}") == (tree / name).stat().st_size


def give_receipt(gateway: Gateway, content: bytes) -> None:
    """List a receipt in the home, as the worker does."""
    path = gateway.files.scratch("test") / "receipt"
    path.write_bytes(content)
    gateway.files.keep("results", "1-test/receipt", path)
    with gateway.store.write() as tx:
        files.replace(
            tx, "acme", files.NewFile("receipts", "catalog.csv.1.json", "results", "1-test/receipt", len(content))
        )


@cells(matrix.RESULTS)
async def test_results_are_listed_and_fetched_whole(gateway, tmp_path, kind, way):
    client = driver(kind, gateway.place)
    if way == "names":
        give_receipt(gateway, b"{}")
        assert await client.names("/receipts") == {"catalog.csv.1.json"}
    else:
        give_receipt(gateway, BIG)
        await client.get("/receipts/catalog.csv.1.json", tmp_path / "got.json")
        assert (tmp_path / "got.json").read_bytes() == BIG


SLOW_BYTES = 300_000


def slow_put(client: Any, local: Path) -> tuple[tuple[str | Path, ...], str]:
    """Give a command, and what to type into it, that uploads some megabytes so slowly that it can be stopped."""
    here, path = client.here, "/inbox/catalog.csv"
    if isinstance(client, openssh.Sftp):
        return (
            client.program,
            *openssh.options(here),
            "-l",
            "8000",
            f"{here.user}@{here.host}",
        ), f"put {local} {path}\n"
    if isinstance(client, openssh.Scp):
        return (client.program, *openssh.options(here), "-l", "8000", local, client.at(path)), ""
    if isinstance(client, lftp.Lftp):
        return client.command("set net:limit-total-rate 1000000", f"put {local} -o {path}"), ""
    if isinstance(client, curl.Curl):
        return client.command("--limit-rate", "1M", "-T", local, client.url(path)), ""
    return client.command("--bwlimit", "1M", "copyto", local, client.at(path)), ""


STOPPED = [
    (openssh.Sftp, signal.SIGKILL),
    (openssh.Sftp, signal.SIGINT),
    (openssh.Scp, signal.SIGKILL),
    (openssh.Scp, signal.SIGINT),
    (lftp.Lftp, signal.SIGKILL),
    (curl.Curl, signal.SIGKILL),
    (curl.Curl, signal.SIGINT),
    (rclone.Rclone, signal.SIGKILL),
]


@pytest.mark.parametrize(("kind", "stop"), STOPPED, ids=[f"{kind.name} {stop.name}" for kind, stop in STOPPED])
async def test_a_client_stopped_in_mid_file_leaves_no_whole_upload(gateway, local, kind, stop):
    """Killed: the connection drops, the draft is unfinished. Ctrl-C: some cut at what was written and close in
    good order; the worker's child finds out by the content, here the hash tells that it is not the file."""
    content = rows(SLOW_BYTES)
    command, typed = slow_put(driver(kind, gateway.place), local(content))
    process = await place.start(gateway.place, *command)
    process.stdin.write(typed.encode())
    await eventually(lambda: sum(talk.received_bytes for talk in gateway.listener._door.talking) > SLOW_BYTES)
    os.killpg(process.pid, stop)
    process.stdin.close()
    await asyncio.wait_for(process.communicate(), 20)
    [upload] = await gateway.received(1, State.UNFINISHED, *([] if stop is signal.SIGKILL else [State.RECEIVED]))
    assert upload.sha256 != digest(content)
    async with gateway.observer() as sftp:
        assert 0 < await sftp.getsize("/inbox/catalog.csv") < len(content)


async def test_an_exception_in_a_paramiko_callback_leaves_no_whole_upload(gateway, local):
    """`put` closes the file in good order on its way out."""

    class Stopped(Exception):
        pass

    def stop(sent, _total):
        if sent > SLOW_BYTES:
            raise Stopped

    content, client = rows(SLOW_BYTES), libraries.Paramiko(gateway.place)
    with pytest.raises(Stopped):
        await client.do(lambda sftp: sftp.put(str(local(content)), "/inbox/catalog.csv", callback=stop))
    [upload] = await gateway.received(1, State.UNFINISHED, State.RECEIVED)
    assert upload.sha256 != digest(content)


async def test_an_upload_through_three_sessions_is_one(gateway):
    """Mapp Engage: look, upload into a temporary directory, verify and move, each in a session of its own."""
    async with gateway.observer() as sftp:
        await sftp.mkdir("/inbox/temp")
    async with gateway.observer() as sftp, sftp.open("/inbox/temp/catalog.csv.part", "wb") as file:
        await file.write(BIG)
    async with gateway.observer() as sftp:
        assert await sftp.getsize("/inbox/temp/catalog.csv.part") == len(BIG)
        await sftp.rename("/inbox/temp/catalog.csv.part", "/inbox/catalog.csv")
    [upload] = await gateway.received(1)
    assert (upload.path, upload.sha256) == ("inbox/catalog.csv", digest(BIG))


def test_the_page_of_clients_names_what_the_matrix_has_and_nothing_failed():
    page = (Path(__file__).parents[2] / "docs/clients.md").read_text()
    everything = {(each.name, kind.name): True for each in matrix.SCENARIOS for kind in matrix.CLIENTS}
    assert page == matrix.page(everything), "run `make clients`"
    assert len(matrix.CLIENTS) >= 14
    assert len(matrix.SCENARIOS) >= 10
