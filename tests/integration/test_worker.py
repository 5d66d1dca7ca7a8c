"""The worker with real children, on both stores: what becomes of an upload, whatever its file does to us."""

import asyncio
import contextlib
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa
from msgspec import structs

from sftp_gateway import receipt, settings
from sftp_gateway.blobs import Area
from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.catalog.rules import schema
from sftp_gateway.errors import Broken, DiskFull
from sftp_gateway.store import brands, expiry, files, jobs, tables, uploads, versions, withheld, workers
from sftp_gateway.store.figures import Tally
from sftp_gateway.upload import Mode, State
from sftp_gateway.worker import errand, slots
from sftp_gateway.worker.bench import Bench
from sftp_gateway.worker.crew import PRELOAD, Crew
from sftp_gateway.worker.message import Task
from sftp_gateway.worker.turn import Terms
from sftp_gateway.worker.watch import Bounds
from tests import sent
from tests.catalog_shop import products

HERE = Path(__file__).parent
BOUNDS = Bounds(240 << 20, 60.0)
SETTINGS = settings.Worker(processes=2, tries=2, backoff_seconds=0.05, lease_seconds=4, small_bytes=4096)


@pytest.fixture(scope="module")
def crew():
    sys.path.insert(0, str(HERE))
    with contextlib.closing(Crew(BOUNDS, preload=("standin",))) as crew:
        yield crew
    sys.path.remove(str(HERE))


def test_a_child_reads_a_workbook_without_pandas(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["sku", "name"])
    book.active.append(["A", "a"])
    book.save(tmp_path / "catalog.xlsx")
    sys.path.insert(0, str(HERE))
    try:
        with contextlib.closing(Crew(Bounds(400 << 20, 10.0), preload=(*PRELOAD, "standin"))) as crew:
            assert crew.run(Task("standin:read_sheet", (tmp_path / "catalog.xlsx",), asks=False), small=True) == (
                ["A"],
                False,
            )
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def terms():
    return Terms(schema.load(), Guards(), 1 << 30, 240 << 20, 2, SETTINGS.small_bytes, process="standin:process")


def real_terms():
    return Terms(schema.load(), Guards(), 1 << 30, 240 << 20, 2, SETTINGS.small_bytes)


@pytest.fixture
def gateway(live_store, files, crew, terms):
    brands.create(live_store, "acme")
    return Gateway(live_store, files, Bench(live_store, files, crew, SETTINGS, lambda: terms))


class Gateway:
    def __init__(self, store, blobs, bench):
        self.store, self.blobs, self.bench = store, blobs, bench

    def receive(self, text, brand="acme", mode=Mode.FULL, name="catalog.csv"):
        return sent.text(self.store, self.blobs, text, brand, name, mode=mode)

    def work(self):
        """Work off what is due now, in this thread; gives how many jobs that were."""
        count = 0
        while claimed := jobs.claim(self.store, owner=workers.me("test"), lease_seconds=4):
            self.bench.work(claimed, threading.Event())
            count += 1
        return count

    def state(self, upload):
        return uploads.get(self.store, upload).state


def corrections(gateway, upload):
    """Give the correction file of an upload, as a brand fetches it."""
    [found] = [one for one in files.results(gateway.store, upload) if ".corrections." in one.name]
    with gateway.blobs.local(Area(found.area), found.blob) as path:
        return path.read_bytes().decode("utf-8-sig")


def catalog(gateway):
    """Give the current products by key, blank cells left out."""
    now = versions.current(gateway.store, "acme")
    with gateway.blobs.local(Area.CATALOG, now.file) as path:
        return products(path)


def test_an_upload_is_published_with_its_files(gateway):
    upload = gateway.receive("publish\na\nb\n")
    assert gateway.work() == 1
    now = uploads.get(gateway.store, upload)
    assert (now.state, now.version, now.receipt["rows"]["accepted"]) == (State.PUBLISHED, 1, 2)
    version = versions.current(gateway.store, "acme")
    assert (version.number, version.products, version.columns) == (1, 2, ("sku", "name"))
    with gateway.blobs.open(Area.CATALOG, version.file) as catalog:
        assert catalog.read() == b"a\nb\n"
    listed = {(f.folder, f.name) for f in files.of_upload(gateway.store, upload)}
    assert listed == {
        ("errors", f"catalog.csv.{upload}.errors.csv"),
        ("catalog", "current.parquet"),
        ("catalog", "v000001.changes.csv"),
    }
    assert not [path for path in gateway.blobs.staging.rglob("*") if path.is_file()]


def test_the_same_bytes_again_are_not_even_read(gateway):
    gateway.receive("publish\na\n")
    again = gateway.receive("publish\na\n")
    gateway.work()
    now = uploads.get(gateway.store, again)
    assert now.state is State.UNCHANGED
    assert now.receipt["changes"]["unchanged"] == now.receipt["rows"]["accepted"] == 1
    assert versions.current(gateway.store, "acme").number == 1


def test_the_same_bytes_again_are_not_read_where_they_brought_an_older_catalog_back(gateway):
    real = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    gateway.bench, stands_in = real, gateway.bench
    a, b = (f"sku,name,msrp,cost,gtin,images,brand\nA,n,{n},1,4006381333931,/a.jpg,b\n" for n in (5, 6))
    *_, third = [gateway.receive(text) for text in (a, b, a)]
    gateway.work()
    told = uploads.get(gateway.store, third).receipt
    assert [(finding["code"], finding["count"]) for finding in told["findings"]] == [("CATALOG_REVERT", 1)]
    gateway.bench = stands_in  # fails over a file that it would read
    again = gateway.receive(a)
    gateway.work()
    assert gateway.state(again) is State.UNCHANGED
    assert versions.current(gateway.store, "acme").number == 3
    now = uploads.get(gateway.store, again).receipt
    assert (now["findings"], now["files"]) == ([], [])
    gateway.bench = real
    brands.change_settings(gateway.store, "acme", lambda _: BrandSettings(decimal="."))
    read = gateway.receive(a)
    gateway.work()
    assert uploads.get(gateway.store, read).receipt["findings"] == []


@pytest.mark.parametrize("change", ["mode", "settings", "rolled back"])
def test_the_same_bytes_are_read_when_they_may_mean_something_else(gateway, change):
    gateway.receive("publish\na\n")
    gateway.work()
    if change == "settings":
        brands.change_settings(gateway.store, "acme", lambda _: BrandSettings(columns={"sku": "Handle"}))
    if change == "rolled back":
        gateway.receive("publish\nb\n")
        gateway.work()
    again = gateway.receive("publish\na\n", mode=Mode.PARTIAL if change == "mode" else Mode.FULL)
    gateway.work()
    assert gateway.state(again) is State.PUBLISHED


def test_a_brands_contact_is_no_reason_to_read_again(gateway):
    gateway.receive("publish\na\n")
    gateway.work()
    brands.change_settings(gateway.store, "acme", lambda _: BrandSettings(contact="ann@acme.example"))
    again = gateway.receive("publish\na\n")
    gateway.work()
    assert gateway.state(again) is State.UNCHANGED


def test_the_same_bytes_are_read_while_something_is_withheld(gateway):
    upload = gateway.receive("withhold\na\n")
    gateway.work()
    found = withheld.get(gateway.store, "acme")
    assert (found.upload, found.products) == (upload, 3)
    again = gateway.receive("withhold\na\n")
    gateway.work()
    assert gateway.state(again) is State.PUBLISHED


@pytest.mark.parametrize("price", ["5", "on request"])
def test_removals_that_were_refused_stay_kept_when_the_same_file_is_sent_again(gateway, price):
    """Where something was found in it, its sender gets his error file; either way nothing is removed."""
    gateway.bench = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    brands.change_settings(gateway.store, "acme", lambda _: BrandSettings(guards={"confirm_after_seconds": 0}))
    whole = ["sku,name,msrp,cost,gtin,images,brand\n", "A,n,1,1,4006381333931,/a.jpg,b\n", f"B,n,{price},1,,,b\n"]
    whole += [f"A{n},n,5,1,,,b\n" for n in range(100)]
    gateway.receive("".join(whole))
    half = gateway.receive("".join(whole[:43]))
    gateway.work()
    assert withheld.get(gateway.store, "acme").products == 60
    uploads.refuse(gateway.store, half, "test")
    for _ in range(3):
        again = gateway.receive("".join(whole[:43]))
        gateway.work()
        told = uploads.get(gateway.store, again).receipt
        assert (told["state"], told["version"], told["changes"]["removed"]) == ("unchanged", None, 0)
        assert bool(told["files"]) == (price != "5")
    assert len(catalog(gateway)) == (102 if price == "5" else 101)
    assert withheld.get(gateway.store, "acme") is None


FOUND = "sku,name,msrp,cost,gtin,images,brand\nA,n,5,1,4006381333931,/a.jpg,b\nB,n,on request,1,,,b\n"


def texts(gateway, upload, maker):
    """Give the files of an upload in /errors, its number in their names and that of its `maker` in them as N."""
    found = {}
    for one in files.of_upload(gateway.store, upload):
        if one.folder == "errors":
            with gateway.blobs.local(Area(one.area), one.blob) as path:
                text = path.read_bytes().decode("utf-8-sig")
            assert len(path.name) and one.bytes == len(text.encode()) + 3 * one.name.endswith(".errors.csv")
            text = text.replace(f",{maker}\n", ",N\n").replace(f"\n{maker},", "\nN,")
            found[one.name.replace(f".{upload}.", ".N.")] = text
    return found


@pytest.mark.parametrize("kept", ["all", "nothing", "other software"])
def test_the_same_bytes_are_told_again_unread_what_was_found_in_them(gateway, clock, kept):
    """Where what was found is kept no more, or other software found it, they are read; either way the same comes out."""
    real = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    gateway.bench, stands_in = real, gateway.bench
    brands.change_settings(gateway.store, "acme", lambda _: BrandSettings(guards={"reject_share": 1.0}))
    first = gateway.receive(FOUND)
    gateway.work()
    before = uploads.get(gateway.store, first)
    assert (before.state, before.receipt["rows"]["rejected"]) == (State.PUBLISHED, 1)
    if kept == "nothing":
        expiry.results(gateway.store, gateway.store.now() + timedelta(days=1))
    elif kept == "other software":
        change = {"receipt": before.receipt | {"software": "0.0.1"}}
        with gateway.store.write() as tx:
            tx.conn.execute(sa.update(tables.upload).where(tables.upload.c.id == first).values(change))
    else:
        gateway.bench = stands_in  # fails over a file that it would read
    again = gateway.receive(FOUND, name="other.csv")
    gateway.work()
    now = uploads.get(gateway.store, again)
    assert (now.state, now.version) == (State.UNCHANGED, None)
    told, read = receipt.of(now), receipt.of(before)
    assert told["rows"] | {"retained": 0} == read["rows"]
    assert told["findings"] == read["findings"]
    assert told["changes"] == dict.fromkeys(receipt.CHANGES, 0) | {"unchanged": 1}
    assert told["file"] == read["file"] | {"name": "other.csv"}
    assert [one["name"] for one in told["files"]] == [
        f"other.csv.{again}.errors.csv",
        f"other.csv.{again}.corrections.csv",
    ]
    if kept != "nothing":
        maker = first if kept == "all" else again
        assert {name.replace("other", "catalog"): text for name, text in texts(gateway, again, maker).items()} == texts(
            gateway, first, first
        )
    assert uploads.rows_meant(gateway.store, again) is Mode.FULL
    gateway.bench = real
    mended = corrections(gateway, again).replace("on request", "6")
    gateway.receive(mended, name="mended.csv")
    gateway.work()
    assert sorted(catalog(gateway)) == ["A", "B"]


def test_what_is_removed_while_it_is_told_again_is_found_anew(gateway, monkeypatch, eventually):
    """Retention may come between: what an upload lists has its bytes, however old they are."""
    gateway.bench = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    brands.change_settings(gateway.store, "acme", lambda _: BrandSettings(guards={"reject_share": 1.0}))
    gateway.receive(FOUND)
    gateway.work()
    real = files.results

    def results(store, upload):
        found = real(store, upload)
        monkeypatch.setattr(files, "results", real)
        expiry.results(store, store.now() + timedelta(days=1))
        return found

    monkeypatch.setattr(files, "results", results)
    again = gateway.receive(FOUND)
    eventually(lambda: not gateway.work() and gateway.state(again) is State.UNCHANGED)
    assert {one.blob.partition("-")[0] for one in real(gateway.store, again)} == {str(again)}


@pytest.mark.parametrize(
    ("rows", "unread"),
    [("A,7,x\n", True), ("A,7,x\nB,bad,x\n", False), ("A,7,x\nC,8,x\n", False), ("A,7,x\nA,8,x\n", False)],
    ids=["updated", "rejected", "created", "twice"],
)
def test_a_partial_file_of_which_something_was_found_is_not_read_again_if_the_same_would_be(gateway, rows, unread):
    real = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    gateway.bench, stands_in = real, gateway.bench
    brands.change_settings(gateway.store, "acme", lambda _: BrandSettings(guards={"reject_share": 1.0}))
    gateway.receive("sku,name,msrp\nA,n,5\nB,n,5\n")
    text = f"sku,msrp,who,name\n{rows}".replace(",x", ",x,n")
    first = gateway.receive(text, mode=Mode.PARTIAL)
    gateway.work()
    assert gateway.state(first) is State.PUBLISHED
    gateway.bench = stands_in if unread else real
    again = gateway.receive(text, mode=Mode.PARTIAL)
    gateway.work()
    assert gateway.state(again) in (State.UNCHANGED, State.PUBLISHED)
    told, read = (uploads.get(gateway.store, one).receipt for one in (again, first))
    assert told["findings"] == read["findings"]
    assert len(told["files"]) == len(read["files"]) > 0


def test_a_hold_waits_for_a_person_and_then_runs_again_with_its_reasons_waived(gateway):
    upload = gateway.receive("hold\na\n")
    gateway.work()
    assert gateway.state(upload) is State.HELD
    assert [f.folder for f in files.of_upload(gateway.store, upload)] == ["internal"]
    uploads.approve(gateway.store, upload, "test")
    gateway.work()
    assert gateway.state(upload) is State.PUBLISHED


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("crash", "died (SIGSEGV)"),
        ("eat", "MiB of memory, 240 MiB are allowed"),
        ("loop", "was not done after 2 s"),
        ("outside", "made 'blob' where it may not"),
    ],
)
def test_a_poisoned_file_fails_after_its_tries_and_the_next_one_goes_on(gateway, word, says, eventually, monkeypatch):
    if word == "loop":  # all others may take their time: a machine may be busy
        monkeypatch.setattr(gateway.bench.crew, "bounds", structs.replace(BOUNDS, seconds=2.0))
    poison = gateway.receive(f"{word}\n")
    healthy = gateway.receive("publish\na\n")
    eventually(lambda: gateway.work() or gateway.state(poison) is State.FAILED)
    eventually(lambda: gateway.work() or gateway.state(healthy) is State.PUBLISHED)
    assert gateway.state(poison) is State.FAILED
    [reason] = uploads.get(gateway.store, poison).reasons
    assert says.replace("blob", uploads.get(gateway.store, poison).sha256) in reason["text"]
    attempts = [e for e in uploads.events(gateway.store, poison) if e.event == "upload.processing"]
    assert len(attempts) == SETTINGS.tries


def test_a_fault_that_passes_is_tried_again(gateway, tmp_path, eventually):
    upload = gateway.receive(f"once_broken\n{tmp_path / 'mark'}\n")
    eventually(lambda: gateway.work() and gateway.state(upload) is State.PUBLISHED)


def test_a_full_disk_defers_an_upload_for_as_long_as_it_takes(gateway, eventually):
    upload = gateway.receive("full\n")
    for _ in range(SETTINGS.tries + 2):
        eventually(gateway.work)
    assert gateway.state(upload) is State.RECEIVED
    assert "no room" in jobs.last_of(gateway.store, upload).error


def test_a_disk_that_was_full_uses_up_no_try(gateway, tmp_path, eventually, monkeypatch):
    upload = gateway.receive(f"once_broken\n{tmp_path / 'mark'}\n")

    def full(_prefix):
        raise DiskFull("no room")

    with monkeypatch.context() as patched:
        patched.setattr(gateway.blobs, "scratch", full)
        for _ in range(SETTINGS.tries):
            eventually(gateway.work)
    eventually(lambda: gateway.work() and gateway.state(upload) is State.PUBLISHED)  # after one fault


def test_what_was_made_for_a_lost_lease_is_thrown_away(gateway):
    upload = gateway.receive("publish\na\n")
    slow = jobs.claim(gateway.store, owner="elsewhere|x|1|1|", lease_seconds=0.001)
    gateway.work()  # takes it over
    assert gateway.state(upload) is State.PUBLISHED
    gateway.bench.work(slow, threading.Event())
    assert len(versions.listing(gateway.store, "acme")) == 1


def test_a_worker_that_loses_its_lease_while_it_works_stops_its_child(gateway, tmp_path, eventually):
    mark, tally = tmp_path / "mark", Tally(gateway.store)
    upload = gateway.receive(f"sleep\n{mark}\n")
    brief = settings.Worker(tries=2, lease_seconds=0.4)
    patient = Crew(Bounds(400 << 20, 60.0), preload=("standin",))
    bench = Bench(gateway.store, gateway.blobs, patient, brief, gateway.bench.terms)
    with contextlib.closing(patient):
        ours = jobs.claim(gateway.store, owner="elsewhere|x|1|1|", lease_seconds=60)
        working = threading.Thread(target=bench.work, args=(ours, threading.Event()))
        working.start()
        eventually(lambda: mark.exists() and mark.read_text())
        with gateway.store.write() as tx:  # as a takeover does it
            tx.conn.exec_driver_sql("UPDATE job SET token = token + 1")
        working.join(timeout=30)
        assert not working.is_alive()
        eventually(lambda: not Path(f"/proc/{mark.read_text()}").exists())
    assert tally.series()["fenced_publishes_total", ()] == 1
    assert gateway.state(upload) is State.PROCESSING, "nothing was written"


def test_of_two_held_uploads_each_can_be_corrected(gateway):
    """A partial file that is held supersedes no full one that waits; both keep what their corrections go on from."""
    gateway.bench = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    gateway.receive("sku,name,msrp\n" + "".join(f"A{n},n,5\n" for n in range(40)))
    rest = "".join(f"A{n},n,bad\n" for n in range(20, 40))
    full = gateway.receive("sku,name,msrp\n" + "".join(f"A{n},new,5\n" for n in range(20)) + rest)
    partial = gateway.receive("sku,name,msrp\n" + "".join(f"P{n},n,5\n" for n in range(20)) + rest, mode=Mode.PARTIAL)
    gateway.work()
    assert (gateway.state(full), gateway.state(partial)) == (State.HELD, State.HELD)
    fixes = [
        gateway.receive(f"sku,name,msrp,_correction_of\nA20,n,6,{number}\n", mode=mode)
        for number, mode in ((full, Mode.FULL), (partial, Mode.PARTIAL))
    ]
    gateway.work()
    assert (gateway.state(full), gateway.state(partial)) == (State.SUPERSEDED, State.SUPERSEDED)
    of_full, of_partial = (uploads.get(gateway.store, fix).receipt for fix in fixes)
    assert of_full["changes"] | {"updated": 21, "removed": 0} == of_full["changes"]
    assert of_full["rows"] | {"read": 21, "retained": 19} == of_full["rows"]
    assert of_partial["changes"] | {"created": 20, "unchanged": 1} == of_partial["changes"]


def test_a_held_file_without_a_last_newline_is_whole_still_once_the_brand_sends_one(gateway):
    """It was found whole when it was held; approved, it ended as unfinished, and a day later as refused."""
    gateway.bench = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    gateway.receive("sku,name,msrp\n" + "".join(f"A{n},n,5\n" for n in range(60)) + "B,n,5")
    rows = "".join(f"A{n},n,{'bad' if n < 20 else 6}\n" for n in range(60)) + "B,n,6"
    held = sent.text(gateway.store, gateway.blobs, f"sku,name,msrp\n{rows}", complete=False)
    gateway.receive("sku,msrp\nB,7\n", mode=Mode.PARTIAL)
    gateway.work()
    assert gateway.state(held) is State.HELD
    uploads.approve(gateway.store, held, "test")
    gateway.work()
    assert gateway.state(held) is State.PUBLISHED


def held_and_mended_in_part(gateway):
    """Half of a next day's file is bad, and one row of it mended in a correction that is held for the rest."""
    gateway.bench = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    gateway.receive("sku,name,msrp\n" + "".join(f"A{n},n,5\n" for n in range(60)))
    bad = "".join(f"A{n},n,bad\n" for n in range(20, 60))
    held = gateway.receive("sku,name,msrp\n" + "".join(f"A{n},new,5\n" for n in range(20)) + bad)
    gateway.work()
    rest = "".join(f"A{n},n,bad,{held}\n" for n in range(21, 40))
    fix = gateway.receive(f"sku,name,msrp,_correction_of\nA20,n,6,{held}\n{rest}")
    gateway.work()
    return held, fix


def test_an_approved_correction_of_a_held_upload_makes_true_what_was_shown(gateway):
    """It was held, too, and superseded the one that it joined; approved, it is the same file as then."""
    held, fix = held_and_mended_in_part(gateway)
    assert (gateway.state(held), gateway.state(fix)) == (State.SUPERSEDED, State.HELD)
    shown = uploads.get(gateway.store, fix).receipt
    uploads.approve(gateway.store, fix, "test")
    gateway.work()
    now = uploads.get(gateway.store, fix)
    assert (now.state, gateway.state(held)) == (State.PUBLISHED, State.SUPERSEDED)
    assert (now.receipt["rows"], now.receipt["changes"]) == (shown["rows"], shown["changes"])
    assert shown["changes"] | {"updated": 21, "removed": 0} == shown["changes"]
    again = gateway.receive(f"sku,name,msrp,_correction_of\nA22,n,7,{held}\n")
    gateway.work()
    assert uploads.get(gateway.store, again).receipt["rows"]["read"] == 1


@pytest.mark.parametrize("left", ["", "C,n,on request,{}\n"], ids=["whole", "in part"])
def test_a_correction_that_is_sent_once_more_changes_nothing_and_is_not_late_for_itself(gateway, left):
    """As of any file whose bytes made the current version; its sender's client only tried again."""
    gateway.bench = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    first = gateway.receive("sku,name,msrp\nA,n,5\nB,n,bad\nC,n,bad\n")
    gateway.work()
    fix = f"sku,name,msrp,_correction_of\nB,n,6,{first}\n{left.format(first)}"
    ends = []
    for mode, name in [
        (Mode.FULL, "fix.csv"),
        (Mode.FULL, "fix.csv"),
        (Mode.PARTIAL, "partial/fix.csv"),
        (Mode.TEST, "test/fix.csv"),
    ]:
        upload = gateway.receive(fix, mode=mode, name=name)
        gateway.work()
        told = uploads.get(gateway.store, upload).receipt
        ends.append((told["mode"], told.get("would_be") or told["state"], told["rows"]["rejected"]))
    bad = int(bool(left))
    assert ends == [
        ("correction", "published", bad), ("correction", "unchanged", bad), ("correction", "unchanged", bad), ("test", "unchanged", bad)
    ]  # fmt: skip
    gateway.receive("sku,name,msrp\nA,n,5\nB,n,7\n")
    late = gateway.receive(fix)
    gateway.work()
    assert {found["code"] for found in uploads.get(gateway.store, late).receipt["findings"]} > {
        "CATALOG_STALE_CORRECTION"
    }


@pytest.mark.parametrize("refused", [False, True])
def test_a_retried_correction_of_a_held_upload_joins_its_rows_once_more(gateway, refused):
    """The held one is superseded by then, by the correction that is sent again; and so by the retry of a retry."""
    _, fix = held_and_mended_in_part(gateway)
    shown = uploads.get(gateway.store, fix).receipt
    assert shown["changes"] | {"updated": 21, "removed": 0} == shown["changes"]
    if refused:
        uploads.refuse(gateway.store, fix, "test")
    first = uploads.retry(gateway.store, fix, "test").id
    gateway.work()
    assert (gateway.state(fix), gateway.state(first)) == (State.REFUSED if refused else State.SUPERSEDED, State.HELD)
    again = uploads.retry(gateway.store, first, "test").id
    gateway.work()
    for number in (first, again):
        found = uploads.get(gateway.store, number).receipt
        assert (found["rows"], found["changes"]) == (shown["rows"], shown["changes"])
    uploads.approve(gateway.store, again, "test")
    gateway.work()
    assert (gateway.state(again), gateway.state(first)) == (State.PUBLISHED, State.SUPERSEDED)


def test_a_correction_is_told_what_it_corrects_and_nothing_of_other_brands(gateway):
    brands.create(gateway.store, "other")
    foreign = gateway.receive("publish\na\n", brand="other")
    first = gateway.receive("publish\na\n")
    gateway.receive("publish\na\nb\n")
    gateway.work()
    told = {}
    for number in (first, foreign, 999):
        upload = gateway.receive(f"corrects\n{number}\n")
        gateway.work()
        told[number] = uploads.get(gateway.store, upload).receipt["corrected"]
    assert told == {first: [first, 0, 2], foreign: None, 999: None}


CHAIR = "sku,name,msrp,color,quantity,description\nA,Chair,10,red,5,long text\nB,Desk,20,blue,7,other\n"


@pytest.mark.parametrize("dry", [False, True])
def test_a_correction_of_a_correction_of_a_partial_file_is_merged_with_the_products(gateway, dry):
    """Rows mean what they meant in the first file, in whichever directory the corrections come back."""
    gateway.bench = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    gateway.receive(CHAIR)
    text = "sku,name,msrp,color\nA,Chair,oops,\nB,Desk,oops,\\N\n"
    first = gateway.receive(text, mode=Mode.PARTIAL, name="partial/day.csv")
    gateway.work()
    still = corrections(gateway, first).replace("oops", "on request")
    mode, folder = (Mode.TEST, "test/") if dry else (Mode.FULL, "")
    second = gateway.receive(still, mode=mode, name=f"{folder}fix.csv")
    gateway.work()
    third = gateway.receive(corrections(gateway, second).replace("on request", "12"), name="fix2.csv")
    gateway.work()
    assert uploads.get(gateway.store, third).receipt["changes"]["updated"] == 2
    kept = ("name", "msrp", "color", "quantity", "description")
    found = {key: tuple(cells.get(name) for name in kept) for key, cells in catalog(gateway).items()}
    assert found == {"A": ("Chair", "12.00", "red", "5", "long text"), "B": ("Desk", "12.00", None, "7", "other")}


def test_a_correction_of_a_dry_run_that_was_judged_as_partial_is_merged_with_the_products(gateway):
    """What `mode` of the brand makes of a dry run holds for the rows that it rejected, whatever is set later."""
    gateway.bench = Bench(gateway.store, gateway.blobs, gateway.bench.crew, SETTINGS, real_terms)
    gateway.receive(CHAIR)
    gateway.work()
    brands.change_settings(gateway.store, "acme", lambda _: BrandSettings(mode="partial"))
    dry = gateway.receive("sku,msrp,color\nA,11,\nB,oops,\\N\n", mode=Mode.TEST, name="test/day.csv")
    gateway.work()
    brands.change_settings(gateway.store, "acme", lambda _: BrandSettings())
    gateway.receive(corrections(gateway, dry).replace("oops", "12"), name="fix.csv")
    gateway.work()
    desk = catalog(gateway)["B"]
    assert (desk["name"], desk["msrp"], desk.get("color"), desk["quantity"]) == ("Desk", "12.00", None, "7")


async def test_the_worker_takes_what_comes_and_keeps_a_slot_for_small_files(gateway, tmp_path, eventually_async):
    brands.create(gateway.store, "other")
    brands.create(gateway.store, "third")
    mark = tmp_path / "mark"
    done = []
    part = slots.Worker(gateway.bench, lambda: done.append(1))
    async with part:
        running = asyncio.create_task(part.run())
        big = gateway.receive(f"sleep\n{mark}\n" + "x" * SETTINGS.small_bytes)
        await eventually_async(mark.exists)
        waiting = gateway.receive("sleep\n" + "x" * SETTINGS.small_bytes, brand="other")
        small = gateway.receive("publish\na\n", brand="third")
        await eventually_async(lambda: gateway.state(small) is State.PUBLISHED)
        assert gateway.state(big) is State.PROCESSING
        assert gateway.state(waiting) is State.RECEIVED
        await eventually_async(lambda: done)  # the slot is free after the commit
        await part.drain(0)
        await running
    # Handed back, no try counted; the child is gone.
    assert gateway.state(big) is State.RECEIVED
    job = jobs.last_of(gateway.store, big)
    assert (job.failures, job.takeovers, job.owner) == (0, 0, None)


async def test_a_drain_waits_for_what_is_nearly_done(gateway, eventually_async):
    upload = gateway.receive("publish\na\n")
    part = slots.Worker(gateway.bench)
    async with part:
        running = asyncio.create_task(part.run())
        await eventually_async(lambda: gateway.state(upload) is not State.RECEIVED)
        await part.drain(20)
        await running
    assert gateway.state(upload) is State.PUBLISHED


async def test_a_long_upload_keeps_its_lease_and_tells_how_far_it_is(gateway, tmp_path, eventually_async):
    short = settings.Worker(processes=1, lease_seconds=0.4)
    slow = Bench(
        gateway.store,
        gateway.blobs,
        gateway.bench.crew,
        short,
        gateway.bench.terms,
    )
    upload = gateway.receive(f"sleep\n{tmp_path / 'mark'}\n")
    part = slots.Worker(slow)
    async with part:
        running = asyncio.create_task(part.run())
        await eventually_async(lambda: (jobs.last_of(gateway.store, upload).progress or {}).get("stage") == "read")
        two_leases = time.monotonic() + 0.8
        await eventually_async(lambda: time.monotonic() > two_leases)
        job = jobs.last_of(gateway.store, upload)
        assert (job.takeovers, job.place) == (0, jobs.Place.RUNNING)
        await part.drain(0)
        await running


def test_a_verb_works_off_its_brand_where_no_worker_lives(gateway, tmp_path):
    config = settings.Settings(storage=settings.Storage(root=tmp_path))
    catalog = "sku,name,msrp\nA-1,Chair,10\nA-2,Table,20\n"
    before, upload = gateway.receive(catalog), gateway.receive(catalog.replace("20", "25"))
    told = []
    verb = errand.Errand(gateway.store, gateway.blobs, config)
    found = verb.finish(uploads.get(gateway.store, upload), lambda *what: told.append(what))
    assert (gateway.state(before), found.state, found.version) == (State.PUBLISHED, State.PUBLISHED, 2)
    made = verb.roll_back("acme", 1)
    assert (made.number, made.of, made.products) == (3, 1, 2)
    assert told


def test_a_rollback_that_cannot_be_made_says_why(gateway, tmp_path):
    gateway.receive("publish\na\n")  # the stand-in's catalog file is no Parquet
    gateway.work()
    config = settings.Settings(
        storage=settings.Storage(root=tmp_path), worker=settings.Worker(tries=1, backoff_seconds=0.01)
    )
    with pytest.raises(Broken, match="the rollback of acme could not be made"):
        errand.Errand(gateway.store, gateway.blobs, config).roll_back("acme", 1)
