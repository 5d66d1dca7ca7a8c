"""Retention: what is past its time goes, rows first; what anybody may still need stays."""

import asyncio
import os
import time

import pytest

from sftp_gateway import retention, settings
from sftp_gateway.blobs import Area
from sftp_gateway.errors import NotFound, Unavailable
from sftp_gateway.retention import Swept
from sftp_gateway.store import brands, erasing, expiry, files, jobs, outbox, tables, uploads, versions
from sftp_gateway.store.files import Folder, NewFile
from sftp_gateway.store.jobs import Finish
from sftp_gateway.store.staging import Staging
from sftp_gateway.store.versions import NewVersion, Origin
from sftp_gateway.store.withheld import Withheld
from sftp_gateway.upload import Mode, State
from tests import sent

LIMITS = settings.Retention(sources_seconds=100, results_seconds=100, versions=2)


class Home:
    """A brand that uploads, with real blobs behind its rows."""

    def __init__(self, store, blobs, clock, root):
        self.store, self.blobs, self.clock, self.root = store, blobs, clock, root
        brands.create(store, "acme")

    def keep(self, area, name, age=7200):
        path = self.blobs.scratch() / "x"
        path.write_bytes(name.encode())
        self.blobs.keep(area, name, path)
        self.age(self.path(area, name), age)
        return name

    def path(self, area, name):
        return next(path for path in (self.root / area).rglob(name))

    def age(self, path, seconds):
        os.utime(path, (time.time(), self.clock().timestamp() - seconds))

    def upload(self, state=State.REFUSED, sha256="a" * 64, **more):
        self.keep(Area.SOURCES, sha256)
        upload = sent.receive(self.store, sha256=sha256).id
        if state is not State.RECEIVED:
            claimed = jobs.claim(self.store, owner="me", lease_seconds=20)
            name = f"{upload}-x/e.csv"
            self.keep(Area.RESULTS, name)
            listed = (NewFile(Folder.ERRORS, f"a.csv.{upload}.errors.csv", "results", name, 1),)
            jobs.finish(self.store, claimed.id, claimed.token, Finish(state, mode=Mode.FULL, files=listed, **more))
        return upload

    def publish(self, **more):
        number = brands.get(self.store, "acme").current_version + 1
        parts = {part: self.keep(Area.CATALOG, f"acme/{number}.{part}") for part in ("parquet", "csv")}
        new = {"file": parts["parquet"], "changes_csv": parts["csv"], **more}
        version = NewVersion(number, file_bytes=1, products=1, columns=("sku",), **new)
        listed = NewFile(Folder.CATALOG, f"v{number:06}.changes.csv", "catalog", parts["csv"], 1)
        claimed = jobs.claim(self.store, owner="me", lease_seconds=20)
        state = State.PUBLISHED if claimed.upload else None
        jobs.finish(self.store, claimed.id, claimed.token, Finish(state, version=version, files=(listed,)))

    def sweep(self):
        return retention.sweep(self.store, self.blobs, LIMITS, self.clock())


@pytest.fixture
def home(sqlite_store, files, clock, tmp_path):
    return Home(sqlite_store, files, clock, tmp_path)


def test_a_fresh_store_has_nothing_to_sweep(home):
    assert home.sweep() == Swept()


def test_sources_and_results_go_after_their_time_and_the_history_stays(home, clock):
    upload = home.upload()
    clock.jump(99)
    assert home.sweep() == Swept()
    clock.jump(2)
    swept = home.sweep()
    assert (swept.sources, swept.results, swept.orphans) == (1, 1, 2)
    assert uploads.get(home.store, upload).state is State.REFUSED
    assert files.listing(home.store, "acme", "errors") == []
    assert [list(home.blobs.names(area)) for area in (Area.SOURCES, Area.RESULTS)] == [[], []]


def test_results_and_versions_that_are_past_their_time_leave_no_directories(home, clock):
    for _ in range(3):
        home.upload()
    home.keep(Area.CATALOG, "gone/1.parquet")
    clock.jump(10_000)
    assert home.sweep().orphans == 1 + 3 + 1
    assert [list((home.root / area).iterdir()) for area in ("results", "catalog")] == [[], []]


def test_mails_of_long_ago_are_forgotten_but_for_those_that_would_be_sent_again(home, clock):
    """A brand from which nothing comes has had its one mail, however long that lasts and whoever starts again."""
    brands.create(home.store, "bolt")
    told = [("acme", "upload:1"), ("acme", "overdue:may"), ("acme", "overdue:june"), ("bolt", "overdue:may")]
    for brand, occasion in [*told, ("acme", "upload:2")]:
        outbox.add(home.store, brand, occasion, recipient="ann@acme.example", subject="s", text="t")
    for _ in told:
        outbox.sent(home.store, outbox.take(home.store, 60))
    clock.jump(47 * 3600)
    home.sweep()  # however short sources stay: what ended in the last day is still told, to whoever was not told yet
    assert outbox.known(home.store, "acme", ["upload:1", "overdue:may"]) == {"upload:1", "overdue:may"}
    clock.jump(2 * 3600)
    outbox.add(home.store, "acme", "upload:3", recipient="ann@acme.example", subject="s", text="t")
    home.sweep()
    asked = [occasion for _, occasion in told] + ["upload:2", "upload:3"]
    assert outbox.known(home.store, "acme", asked) == {"overdue:june", "upload:2", "upload:3"}
    assert outbox.known(home.store, "bolt", asked) == {"overdue:may"}


@pytest.mark.parametrize("state", [State.HELD, State.RECEIVED])
def test_what_still_has_to_be_decided_keeps_its_bytes(home, clock, state):
    home.upload(state)
    clock.jump(10_000)
    home.sweep()
    assert list(home.blobs.names(Area.SOURCES)) == ["a" * 64]
    assert len(files.listing(home.store, "acme", "errors")) == (state is State.HELD)


def test_bytes_stay_while_any_upload_has_them(home, clock):
    home.upload()
    clock.jump(60)
    home.upload()
    clock.jump(60)
    assert home.sweep().sources == 1
    assert list(home.blobs.names(Area.SOURCES)) == ["a" * 64]
    clock.jump(60)
    home.sweep()
    assert list(home.blobs.names(Area.SOURCES)) == []


def test_the_last_versions_keep_their_files_and_the_others_their_rows(home):
    for number in range(4):
        home.upload(State.RECEIVED, f"{number}" * 64)
        home.publish()
    assert home.sweep().versions == 2
    assert sorted(home.blobs.names(Area.CATALOG)) == [
        "acme/3.csv", "acme/3.parquet", "acme/4.csv", "acme/4.parquet",
    ]  # fmt: skip
    listed = versions.listing(home.store, "acme")
    assert [(v.number, bool(v.file)) for v in listed] == [(4, True), (3, True), (2, False), (1, False)]
    assert [f.name for f in files.listing(home.store, "acme", "catalog")] == [
        "v000003.changes.csv",
        "v000004.changes.csv",
    ]


def test_a_rollback_keeps_the_file_of_the_version_it_equals(home):
    home.upload(State.RECEIVED)
    home.publish()
    for _ in range(3):
        versions.roll_back(home.store, "acme", 1, "ops")
        home.publish(file="acme/1.parquet", origin=Origin.ROLLBACK, of=1)
    home.sweep()
    assert "acme/1.parquet" in set(home.blobs.names(Area.CATALOG))


def test_a_version_stays_while_a_rollback_to_it_waits_for_its_turn(home):
    home.upload(State.RECEIVED)
    home.publish()
    for number in range(2, 4):
        home.upload(State.RECEIVED, f"{number}" * 64)
    versions.roll_back(home.store, "acme", 1, "ops")
    for _ in range(2):
        home.publish()
    home.sweep()
    assert versions.get(home.store, "acme", 1).file
    home.publish(file="acme/1.parquet", origin=Origin.ROLLBACK, of=1)
    home.sweep()
    assert not versions.get(home.store, "acme", 1).file


def test_the_withheld_keys_stay_while_they_are_withheld(home, clock):
    home.keep(Area.RESULTS, "acme/1.keys")
    end = {"keeps_withheld": False, "withheld": Withheld(1, "acme/1.keys", 60, clock(), "aa")}
    upload = home.upload(State.UNCHANGED, **end)
    clock.jump(10_000)
    home.sweep()
    assert sorted(home.blobs.names(Area.RESULTS)) == [f"{upload}-x/e.csv", "acme/1.keys"]  # who decides looks at them
    uploads.refuse(home.store, upload, "ops")
    home.sweep()
    assert list(home.blobs.names(Area.RESULTS)) == []


def test_a_blob_without_a_row_goes_after_an_hour_and_not_before(home):
    home.keep(Area.SOURCES, "b" * 64, age=3500)
    home.keep(Area.CATALOG, "acme/lost.parquet", age=3700)
    swept = home.sweep()
    assert (swept.orphans, swept.orphan_bytes) == (1, len("acme/lost.parquet"))
    assert list(home.blobs.names(Area.SOURCES)) == ["b" * 64]


def test_files_that_are_not_ours_end_no_sweep_and_stay(home):
    """What a network file system keeps of a deleted file, or a copying tool of one under way."""
    home.keep(Area.CATALOG, "acme/lost.parquet")
    strays = [home.root / area / name for area in Area for name in (".nfs0000a1", "a b")]
    for stray in strays:
        stray.write_bytes(b"x")
        os.utime(stray, (0, 0))
    assert home.sweep().orphans == 1
    assert all(stray.exists() for stray in strays)


def test_scratch_of_a_crash_goes_after_a_day_and_drafts_are_left_alone(home):
    old, new = home.blobs.scratch("job-"), home.blobs.scratch("job-")
    (old / "made").write_bytes(b"x")
    stray = home.blobs.staging / "ingest-1"
    stray.write_bytes(b"x")
    staging = Staging(home.blobs.staging)
    draft = staging.file("d1")
    draft.write_bytes(b"x")
    for path in (old, draft, *home.blobs.staging.iterdir()):
        os.utime(path, (0, time.time() - 25 * 3600))
    assert home.sweep().scratch == 2
    assert [old.exists(), new.exists(), stray.exists(), draft.exists()] == [False, True, False, True]
    assert Staging(home.blobs.staging).area == staging.area  # or all drafts would be those of a host that is gone


@pytest.mark.parametrize(
    "away", [Unavailable("the disk is away"), NotFound("no brand 'acme'"), OSError(5, "I/O error")]
)
async def test_it_sweeps_while_it_runs_and_tries_again_when_the_world_was_away(
    home, eventually_async, monkeypatch, away
):
    real, calls = retention.sweep, []

    def sweep(*given):
        calls.append(given)
        if len(calls) == 1:
            raise away
        return real(*given)

    monkeypatch.setattr(retention, "sweep", sweep)

    home.keep(Area.CATALOG, "acme/lost.parquet")
    part = retention.Retention(home.store, home.blobs, LIMITS, every_seconds=0.01)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(part.run())
        await eventually_async(lambda: len(calls) > 2)  # so the second one has ended
        task.cancel()
    assert list(home.blobs.names(Area.CATALOG)) == []


def test_bytes_that_come_again_while_others_are_deleted_stay(home, monkeypatch):
    """To delete hundreds takes a while; the last of them may have an upload by then, or be about to."""
    for name in "abc":
        home.keep(Area.SOURCES, name * 64)
    real, first = home.blobs.delete, []

    def delete(area, name):
        real(area, name)
        if not first:
            first.append(name)
            again, young = sorted({"a" * 64, "b" * 64, "c" * 64} - {name})
            home.upload(State.RECEIVED, again)  # its bytes look as old as before
            home.keep(area, young, age=0)

    monkeypatch.setattr(home.blobs, "delete", delete)
    assert home.sweep().orphans == 1
    assert sorted(home.blobs.names(Area.SOURCES)) == sorted({"a" * 64, "b" * 64, "c" * 64} - set(first))


def test_a_brand_that_is_erased_during_a_sweep_ends_nothing(home, monkeypatch):
    for _ in range(4):
        home.upload(State.RECEIVED)
        home.publish()
    real = expiry.queue.lock

    def lock(tx, brand):
        for table in erasing._TABLES:  # within its transaction: another one would have to wait for it
            erasing._delete(tx, table, brand)
        tx.conn.execute(tables.brand.delete())
        real(tx, brand)

    monkeypatch.setattr(expiry.queue, "lock", lock)
    assert home.sweep().versions == 2


def test_a_brand_that_is_erased_keeps_the_bytes_that_came_from_another_one_meanwhile(home, monkeypatch):
    brands.create(home.store, "bolt")
    home.upload(State.RECEIVED, "a" * 64)
    home.upload(State.RECEIVED, "b" * 64)
    real, first = home.blobs.delete, []

    def delete(area, name):
        real(area, name)
        if not first:
            first.append(name)
            sent.receive(home.store, "bolt", sha256="b" * 64)

    monkeypatch.setattr(home.blobs, "delete", delete)
    erasing.erase(home.store, home.blobs, "acme")
    assert first == ["a" * 64] and list(home.blobs.names(Area.SOURCES)) == ["b" * 64]
