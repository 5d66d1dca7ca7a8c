"""Brands whose names tell an order (`name_pattern`), through the real worker and its catalog steps, on both stores."""

import contextlib
import csv
import json
import threading

import pytest
from structlog.testing import capture_logs

from sftp_gateway import mail, settings
from sftp_gateway.blobs import Area
from sftp_gateway.brand import BrandSettings, Guards
from sftp_gateway.catalog.rules import schema
from sftp_gateway.errors import WrongState
from sftp_gateway.render.home import Painter
from sftp_gateway.store import brands, files, homes, jobs, outbox, uploads, versions, workers
from sftp_gateway.store.frontdoor import Address
from sftp_gateway.upload import Mode, State
from sftp_gateway.worker import errand
from sftp_gateway.worker.bench import Bench
from sftp_gateway.worker.crew import PRELOAD, Crew
from sftp_gateway.worker.turn import Terms
from sftp_gateway.worker.watch import Bounds
from tests import sent

SETTINGS = settings.Worker(processes=1, tries=2, backoff_seconds=0.01, lease_seconds=20)
DATED = BrandSettings(
    name_pattern=r"\w+?_(?P<date>\d{4}-?\d\d-?\d\d)(?:_(?P<sequence>\d+))?\.csv", contact="a@b.example"
)
HELD = BrandSettings(name_pattern=DATED.name_pattern, guards={"reject_rows": 1, "reject_share": 0.01})
HEADER = "sku,name,msrp\n"


@pytest.fixture(scope="module")
def crew():
    with contextlib.closing(Crew(Bounds(1 << 30, 10.0), preload=PRELOAD)) as crew:
        yield crew


@pytest.fixture
def gateway(live_store, files, crew):
    terms = Terms(schema.load(), Guards(), 1 << 30, 1 << 30, 2, 1 << 24)
    brands.create(live_store, "acme", DATED)
    return Gateway(live_store, files, Bench(live_store, files, crew, SETTINGS, lambda: terms))


class Gateway:
    """A store with one brand, and a worker that works when it is told to."""

    def __init__(self, store, blobs, bench):
        self.store, self.blobs, self.bench = store, blobs, bench

    def receive(self, name, price=5, mode=Mode.FULL, text=""):
        top = "inbox" if mode is Mode.FULL else str(mode)
        rows = text or f"{HEADER}A,{name},{price}\nB,b,5\n"
        return sent.text(self.store, self.blobs, rows, path=f"{top}/{name}", mode=mode)

    def bad(self, name):
        """A file that a guard holds where the brand is set as HELD."""
        return self.receive(name, text=f"{HEADER}A,{name},5\nB,b,bad\n")

    def work(self):
        """Work off what there is; gives the uploads in the order in which they had their turn."""
        seen = []
        while claimed := jobs.claim(self.store, owner=workers.me("test"), lease_seconds=20):
            self.bench.work(claimed, threading.Event())
            seen.append(claimed.upload and claimed.upload.id)
        return seen

    def send(self, *args, **more):
        made = self.receive(*args, **more)
        self.work()
        return made

    def get(self, upload):
        return uploads.get(self.store, upload)

    def states(self, *some):
        return [str(self.get(upload).state) for upload in some]

    def set(self, made):
        brands.change_settings(self.store, "acme", lambda _: made)

    def read(self, folder, name):
        """What a file of the home says."""
        told = files.get(self.store, "acme", folder, name)
        with self.blobs.open(Area(told.area), told.blob) as stream:
            return stream.read().decode()


def unexported(_parquet, _form, out, _small):
    out.write_bytes(b"sku\r\n")


def test_an_older_file_that_comes_late_does_not_replace_the_newer_one(gateway):
    newer = gateway.send("cat_20260102.csv")
    with capture_logs() as log:
        late = gateway.receive("cat_20260101.csv")
        assert gateway.work() == [], "its turn comes at once, and nothing is read"
    assert gateway.states(newer, late) == ["published", "superseded"]
    assert brands.get(gateway.store, "acme").current_version == 1
    said = [line for line in log if line["event"] == "upload.superseded"]
    assert [(line["upload"], line["superseded_by"], line["reasons"]) for line in said] == [
        (late, newer, ["name_older"])
    ]
    found = gateway.get(late)
    (reason,) = found.receipt["reasons"]
    assert reason["code"] == "name_older"
    assert f"cat_20260102.csv (upload {newer})" in reason["text"]
    assert f"a retry of upload {late}" in reason["text"]
    assert found.receipt["state"] == "superseded"
    assert found.receipt["products"] == {"before": 2, "after": 2}
    assert found.receipt["findings"] == []
    assert found.finished_at is not None


def test_the_home_tells_it_like_any_other_end_and_no_mail_is_sent(gateway):
    gateway.send("cat_20260102.csv")
    late = gateway.send("cat_20260101.csv")
    painter = Painter(gateway.store, gateway.blobs, schema.load, lambda: Address("h", 22), unexported, 30 * 86400.0)
    for brand, seq in homes.dirty(gateway.store):
        painter.paint(brand, seq)
    assert json.loads(gateway.read("receipts", f"cat_20260101.csv.{late}.json"))["state"] == "superseded"
    rows = list(csv.DictReader(gateway.read("", "history.csv").splitlines()))
    assert (rows[0]["state"], rows[0]["version"]) == ("superseded", "")
    assert rows[0]["reason"].startswith("By its name this file is older than cat_20260102.csv")
    assert DATED.name_pattern in gateway.read("", "README.txt")
    limits = settings.Mail(host="mail.example")
    assert mail.note(gateway.store, limits, brands.get(gateway.store, "acme"), [gateway.get(late)]) == 0
    assert outbox.take(gateway.store, 9) is None


def test_files_that_wait_go_live_in_the_order_of_their_names(gateway):
    gateway.set(BrandSettings(name_pattern=r"cat_(?P<sequence>\d+)\.csv"))
    ten, plain, nine, stock = (
        gateway.receive(name, price, mode)
        for price, (name, mode) in enumerate(
            (("cat_10.csv", Mode.FULL), ("any.csv", Mode.FULL), ("cat_9.csv", Mode.FULL), ("cat_8.csv", Mode.PARTIAL)),
            5,
        )
    )
    assert gateway.work() == [nine, ten, plain, stock]
    assert gateway.states(nine, ten, plain, stock) == ["published"] * 4


def test_a_file_that_is_worked_on_already_is_not_overtaken_and_the_late_one_is_superseded(gateway):
    newer = gateway.receive("cat_20260102.csv")
    claimed = jobs.claim(gateway.store, owner=workers.me("test"), lease_seconds=20)
    late, next_day = gateway.receive("cat_20260101.csv"), gateway.receive("cat_20260103.csv")
    assert gateway.states(late) == ["received"]
    gateway.bench.work(claimed, threading.Event())
    assert gateway.work() == [next_day]
    assert gateway.states(newer, late, next_day) == ["published", "superseded", "published"]


def test_the_file_of_the_same_day_again_is_processed(gateway):
    gateway.send("cat_20260102.csv")
    again = gateway.send("cat_2026-01-02.csv", 6)
    assert gateway.states(again) == ["published"]


@pytest.mark.parametrize("name", ["cat.csv", "cat_20260101.csv.bak"])
def test_a_name_without_a_key_goes_by_arrival(gateway, name):
    gateway.send("cat_20260102.csv")
    assert gateway.states(gateway.send(name, 6)) == ["published"]


def test_a_correction_of_an_older_file_is_applied(gateway):
    gateway.set(BrandSettings(name_pattern=r"cat_(?P<date>\d+)\..*"))
    first = gateway.send("cat_20260101.csv", text=f"{HEADER}A,a,5\nC,c,bad\n")
    gateway.send("cat_20260102.csv")
    fix = gateway.send(
        f"cat_20260101.csv.{first}.corrections.csv", text=f"sku,name,msrp,_correction_of\nC,c,6,{first}\n"
    )
    assert gateway.states(fix) == ["published"]
    assert gateway.get(fix).mode is Mode.CORRECTION


def test_partial_files_are_compared_among_themselves_and_dry_runs_with_nothing(gateway):
    gateway.send("cat_20260102.csv")
    first = gateway.send("stock_20260101_7.csv", 6, Mode.PARTIAL)
    late, dry = gateway.send("stock_20260101_6.csv", 7, Mode.PARTIAL), gateway.send("cat_20250101.csv", 8, Mode.TEST)
    assert gateway.states(first, late, dry) == ["published", "superseded", "tested"]


def test_a_retry_puts_the_older_file_live_and_later_files_are_compared_with_it(gateway):
    gateway.send("cat_20260103.csv")
    late = gateway.send("cat_20260101.csv")
    again = uploads.retry(gateway.store, late, "ops").id
    gateway.work()
    assert gateway.states(late, again) == ["superseded", "published"]
    assert gateway.get(again).source_upload == late
    between = gateway.send("cat_20260102.csv")
    assert gateway.states(between) == ["published"], "it is newer than what is live"


def test_what_a_later_file_overtook_otherwise_is_not_retried(gateway):
    gateway.send("cat_20260101.csv")
    gateway.set(HELD)
    held = gateway.bad("cat_20260102.csv")
    gateway.work()
    gateway.send("cat_20260103.csv")
    assert gateway.states(held) == ["superseded"]
    with pytest.raises(WrongState):
        uploads.retry(gateway.store, held, "ops")


def test_a_rollback_takes_the_files_that_it_takes_back_out_of_the_comparison(gateway):
    for day in (1, 2, 5):
        gateway.send(f"cat_2026010{day}.csv")
    versions.roll_back(gateway.store, "acme", 2, "ops")
    late = gateway.receive("cat_20260101.csv", 9)
    gateway.work()
    good = gateway.send("cat_20260104.csv")
    assert gateway.states(late, good) == ["superseded", "published"]
    assert "cat_20260102.csv" in gateway.get(late).reasons[0]["text"]


def test_a_pattern_that_is_changed_or_unset_leaves_nothing_stuck(gateway):
    gateway.send("cat_20260105.csv")
    gateway.set(BrandSettings(name_pattern=r"cat_\d{4}(?P<sequence>\d)\d+\.csv"))
    assert gateway.states(gateway.send("cat_20260101.csv", 6)) == ["published"], "equal by the pattern of now"
    gateway.set(BrandSettings())
    first, second = gateway.receive("cat_20260103.csv", 7), gateway.receive("cat_20260102.csv", 8)
    gateway.set(DATED)
    assert gateway.work() == [second, first]
    gateway.set(BrandSettings())
    assert gateway.states(gateway.send("cat_20250101.csv", 9)) == ["published"]


def test_a_file_is_compared_with_one_that_waits_for_a_decision_too(gateway):
    gateway.send("cat_20260101.csv")
    gateway.set(HELD)
    held = gateway.bad("cat_20260103.csv")
    gateway.work()
    late = gateway.send("cat_20260102.csv")
    assert gateway.states(held, late) == ["held", "superseded"]
    assert "waits for a decision" in gateway.get(late).reasons[0]["text"]
    uploads.approve(gateway.store, held, "ops")
    gateway.work()
    assert gateway.states(held) == ["published"]


def test_an_approved_file_goes_before_a_newer_one_that_waits(gateway):
    gateway.send("cat_20260101.csv")
    gateway.set(HELD)
    held = gateway.bad("cat_20260102.csv")
    gateway.work()
    newer = gateway.receive("cat_20260103.csv")
    uploads.approve(gateway.store, held, "ops")
    assert gateway.work() == [held, newer]
    assert gateway.states(held, newer) == ["published", "published"]


def test_an_approved_file_comes_too_late_when_a_newer_one_went_live_meanwhile(gateway):
    """As if it had gone live a second before the approval; the reason says what to do."""
    gateway.send("cat_20260101.csv")
    gateway.set(HELD)
    held = gateway.bad("cat_20260102.csv")
    gateway.work()
    newer = gateway.receive("cat_20260103.csv")
    claimed = jobs.claim(gateway.store, owner=workers.me("test"), lease_seconds=20)
    uploads.approve(gateway.store, held, "ops")
    gateway.bench.work(claimed, threading.Event())
    assert gateway.work() == []
    assert gateway.states(held, newer) == ["superseded", "published"]
    assert [reason["code"] for reason in gateway.get(held).reasons] == ["name_older"]
    again = uploads.retry(gateway.store, held, "ops").id
    gateway.work()
    assert gateway.states(again) == ["held"], "a retry is judged anew"


def test_what_is_held_goes_with_a_newer_file_that_arrived_before_it(gateway):
    gateway.send("cat_20260101.csv")
    gateway.set(HELD)
    newer, held = gateway.receive("cat_20260103.csv"), gateway.bad("cat_20260102.csv")
    assert gateway.work() == [held, newer]
    assert gateway.states(held, newer) == ["superseded", "published"]


def test_a_file_that_went_back_to_the_queue_is_overtaken_by_an_older_one(gateway):
    newer = gateway.receive("cat_20260102.csv")
    claimed = jobs.claim(gateway.store, owner=workers.me("test"), lease_seconds=20)
    older = gateway.receive("cat_20260101.csv")
    jobs.hand_back(gateway.store, claimed.id, claimed.token, shutdown=True)
    assert gateway.work() == [older, newer]
    assert gateway.states(older, newer) == ["published", "published"]


def test_a_verb_that_waits_for_a_file_that_came_late_sees_its_end(gateway):
    gateway.send("cat_20260102.csv")
    late = gateway.get(gateway.receive("cat_20260101.csv"))
    told = errand.Errand(gateway.store, gateway.blobs, settings.Settings()).finish(late, lambda *_: None)
    assert told.state is State.SUPERSEDED
