"""What a brand reads in its home, and when it is made anew."""

import asyncio
import contextlib
import csv
import dataclasses
import io
import itertools
import json
import re
import threading
from concurrent import futures
from datetime import timedelta

import pytest
import sqlalchemy as sa
import structlog
from msgspec import structs

from sftp_gateway import receipt
from sftp_gateway.blobs import Area
from sftp_gateway.brand import Brand, BrandSettings
from sftp_gateway.catalog.rules import schema
from sftp_gateway.errors import Broken, StoreUnreachable
from sftp_gateway.render import home as home_room
from sftp_gateway.render import renderer as renderer_room
from sftp_gateway.render import text
from sftp_gateway.render.home import Painter
from sftp_gateway.render.past import Past
from sftp_gateway.render.renderer import Renderer
from sftp_gateway.store import brands, database, files, history, homes, jobs, queue, tables, uploads, versions, workers
from sftp_gateway.store.frontdoor import Address
from sftp_gateway.upload import Mode, State
from tests import sent

SCHEMA = schema.load()
FRONT = Address("gateway.example.com", 2222, ("SHA256:abc",))


def seq_of(store):
    """What a painter is told to paint of acme."""
    with store.read() as conn:
        return conn.execute(sa.select(tables.home.c.seq).where(tables.home.c.brand == "acme")).scalar_one()


class Home:
    def __init__(self, store, blobs):
        self.store, self.blobs = store, blobs
        self.front = FRONT
        self.exported = []
        self.painted = []
        self.painter = Painter(
            store,
            blobs,
            schema=lambda: SCHEMA,
            front=lambda: self.front,
            export=self.export,
            home_seconds=30 * 86400.0,
            painted=lambda brand, known: self.painted.append((brand.name, [upload.id for upload in known])),
        )
        brands.create(store, "acme")

    def export(self, parquet, form, out, small):
        self.exported.append((form, small))
        out.write_bytes(b"sku\r\n" + parquet.read_bytes())

    def receive(self, path="inbox/catalog.csv", mode=Mode.FULL):
        return sent.receive(self.store, path=path, mode=mode).id

    def end(self, upload, state, version_bytes=None, **found):
        claimed = jobs.claim(self.store, owner=workers.me(), lease_seconds=60)
        assert claimed.upload.id == upload
        version = None
        if state is State.PUBLISHED:
            now = versions.current(self.store, "acme")
            number = now.number + 1 if now else 1
            blob = f"acme/{number}.parquet"
            staged = self.blobs.staging / "x"
            staged.write_text(f"v{number}")
            size = self.blobs.keep(Area.CATALOG, blob, staged)
            version = versions.NewVersion(
                number=number, file=blob, file_bytes=version_bytes or size, products=1, columns=("sku",)
            )
        values = receipt.blank(claimed.upload) | found
        reasons = tuple(values.pop("reasons"))
        jobs.finish(
            self.store,
            claimed.id,
            claimed.token,
            jobs.Finish(state=state, receipt=values, reasons=reasons, version=version, mode=claimed.upload.mode),
        )

    def paint(self):
        return [self.painter.paint(brand, seq) for brand, seq in homes.dirty(self.store)]

    def told(self):
        """Give the uploads that `painted` was told of since this was asked last."""
        found = [upload for _, known in self.painted for upload in known]
        self.painted.clear()
        return found

    def read(self, folder, name):
        file = files.get(self.store, "acme", folder, name)
        with self.blobs.open(file.area, file.blob) as stream:
            data = stream.read()
        assert len(data) == file.bytes
        return data.decode()

    def names(self, folder):
        return [file.name for file in files.listing(self.store, "acme", folder)]

    def history(self):
        return list(csv.DictReader(io.StringIO(self.read("", "history.csv"), newline="")))


@pytest.fixture
def home(sqlite_store, files):
    return Home(sqlite_store, files)


@pytest.fixture
def hosts(store, store_url, clock, files):
    """A home, and the painter of a second host on the same store and files."""
    home = Home(store, files)
    with contextlib.closing(database.open_store(store_url, now=clock)) as second:
        yield home, dataclasses.replace(home.painter, store=second)


def test_a_new_brand_finds_its_instructions_its_header_and_an_empty_history(home):
    home.paint()
    readme = home.read("", "README.txt")
    assert "sftp -P 2222 acme@gateway.example.com" in readme
    assert "SHA256:abc" in readme
    assert "NOT escaped" in readme
    for column in SCHEMA.columns:
        assert re.search(rf"^{column.name}:? ", readme, re.MULTILINE), column.name
    for rule in SCHEMA.rules:
        assert rule.message in readme
    assert home.read("", "template.csv").startswith("sku,name,msrp")
    assert home.read("", "history.csv").strip() == ",".join(text.HISTORY)
    assert not homes.dirty(home.store)


def test_a_brand_without_headers_reads_which_column_is_which(home):
    """Files without a header: `#2` is the second column (`brand set`)."""
    columns = {"name": "#1", "sku": "#2", "msrp": "#4"}
    brands.change_settings(home.store, "acme", lambda _: BrandSettings(columns=columns))
    home.paint()
    readme = home.read("", "README.txt")
    for name, place in (("sku", "column 2"), ("name", "column 1"), ("msrp", "column 4")):
        assert re.search(rf"^{name} +{place}; \w+, required", readme, re.MULTILINE), readme
    assert "without a header row" in readme and "#" not in readme
    assert home.read("", "template.csv").startswith("name,sku,,msrp,brand,cost,")


def test_every_limit_of_a_column_stands_in_the_instructions(home, tmp_path):
    rules = tmp_path / "catalog.toml"
    rules.write_text(
        'key = ["sku"]\n[column.sku]\ntype = "text"\nmin_length = 3\npattern = "[A-Z]{2}-[0-9]+"\n'
        '[column.code]\ntype = "text"\nmin_length = 2\nmax_length = 9\n[column.flag]\ntype = "text"\nmin_length = 1\n'
        'max_length = 1\n[column.rate]\ntype = "decimal"\nscale = 1\n[column.cost]\ntype = "money"\nscale = 0\n'
    )
    painter = dataclasses.replace(home.painter, schema=lambda: schema.load(rules))
    assert [painter.paint(brand, seq) for brand, seq in homes.dirty(home.store)]
    told = dict(re.findall(r"^(sku|code|flag|rate|cost)  +(.*?)\r?$", home.read("", "README.txt"), re.MULTILINE))
    assert told == {
        "sku": "text, required; at least 3 characters; written as [A-Z]{2}-[0-9]+ says (a regular expression)",
        "code": "text; 2 to 9 characters",
        "flag": "text; 1 character",
        "rate": "decimal; at most 1 decimal place",
        "cost": "money; no decimal places",
    }


def test_the_header_to_start_from_is_the_brands_own(home):
    brands.change_settings(
        home.store, "acme", lambda _: BrandSettings(columns={"sku": "Handle"}, mode="partial", marker=".done")
    )
    home.paint()
    assert home.read("", "template.csv").startswith("Handle,name,")
    assert "changes only" in home.read("", "README.txt")
    assert "NAME.done beside NAME" in home.read("", "README.txt")


def test_an_upload_at_rest_has_a_receipt_and_a_line_in_the_history(home):
    upload = home.receive('inbox/Café "menu".csv')
    home.paint()
    assert home.names("receipts") == []
    rows = dict.fromkeys(receipt.ROWS, 0) | {"read": 3, "accepted": 2, "rejected": 1}
    file = {"name": f"x.{upload}.errors.csv", "bytes": 5}
    home.end(upload, State.PUBLISHED, rows=rows, files=[file])
    home.paint()
    [name] = home.names("receipts")
    assert name == f"Caf___menu_.csv.{upload}.json"
    found = json.loads(home.read("receipts", name))
    assert (found["state"], found["version"], found["rows"]["rejected"]) == ("published", 1, 1)
    [line] = csv.DictReader(io.StringIO(home.read("", "history.csv"), newline=""))
    assert line["name"] == 'inbox/Café "menu".csv'
    assert (line["state"], line["read"], line["version"]) == ("published", "3", "1")
    assert line["error_file"] == f"x.{upload}.errors.csv"
    assert home.painted[-1] == ("acme", [upload])


def test_the_history_keeps_the_reasons_of_a_hold_apart(home):
    two = [{"code": "removals_withheld", "text": "too many go"}, {"code": "price_move", "text": "most prices moved"}]
    home.end(home.receive(), State.HELD, reasons=two)
    home.paint()
    assert [line["reason"] for line in home.history()] == ["too many go; most prices moved"]


def test_a_decision_changes_the_receipt_and_an_untouched_one_is_left_alone(home):
    kept, held = home.receive("kept.csv"), home.receive("held.csv")
    home.end(kept, State.UNCHANGED)
    home.end(held, State.HELD, reasons=[{"code": "price_move", "text": "most prices moved"}])
    home.paint()
    before = {name: files.get(home.store, "acme", "receipts", name).blob for name in home.names("receipts")}
    [line] = [r for r in csv.DictReader(io.StringIO(home.read("", "history.csv"))) if r["state"] == "held"]
    assert line["reason"] == "most prices moved"
    uploads.refuse(home.store, held, "ann")
    home.paint()
    after = {name: files.get(home.store, "acme", "receipts", name).blob for name in home.names("receipts")}
    assert after[f"kept.csv.{kept}.json"] == before[f"kept.csv.{kept}.json"]
    assert after[f"held.csv.{held}.json"] != before[f"held.csv.{held}.json"]
    assert json.loads(home.read("receipts", f"held.csv.{held}.json"))["state"] == "refused"


def test_an_unfinished_upload_has_no_receipt_until_it_is_given_one(home):
    upload = home.receive()
    home.end(upload, State.UNFINISHED)
    with home.store.write() as tx:
        tx.conn.exec_driver_sql("UPDATE upload SET receipt = NULL")
    home.paint()
    assert home.names("receipts") == []
    [line] = csv.DictReader(io.StringIO(home.read("", "history.csv")))
    assert line["state"] == "unfinished"
    assert line["reason"]


def test_receipts_leave_the_home_with_their_time_and_are_not_made_again(home, clock):
    upload = home.receive()
    home.end(upload, State.UNCHANGED)
    clock.jump(31 * 86400)
    home.paint()
    assert home.names("receipts") == []


def test_the_current_catalog_of_a_small_brand_comes_before_its_receipt(home):
    upload = home.receive()
    home.end(upload, State.PUBLISHED)
    assert home.paint() == [False]
    assert home.read("catalog", "current.csv") == "sku\r\nv1"
    assert home.exported == [("csv", True)]
    home.painter.mark("acme")
    home.paint()
    assert len(home.exported) == 1, "what is current is not exported again"


def test_the_current_catalog_of_a_large_brand_delays_nothing(home):
    upload = home.receive()
    home.end(upload, State.PUBLISHED, version_bytes=1 << 30)
    assert home.paint() == [True]
    assert home.names("receipts")
    assert home.names("catalog") == []
    home.painter.paint_current("acme")
    assert home.read("catalog", "current.csv") == "sku\r\nv1"
    assert home.exported == [("csv", False)]


def test_a_hold_that_is_decided_after_a_long_time_gets_its_receipt_then(home, clock):
    upload = home.receive()
    home.end(upload, State.HELD, reasons=[{"code": "price_move", "text": "most prices moved"}])
    home.paint()
    clock.jump(31 * 86400)
    uploads.approve(home.store, upload, "ann")
    home.end(upload, State.PUBLISHED)
    home.paint()
    assert json.loads(home.read("receipts", f"catalog.csv.{upload}.json"))["state"] == "published"
    since = clock() - timedelta(days=30)
    assert [file.name for file in files.listing(home.store, "acme", "receipts", since)] == home.names("receipts")


async def test_a_small_catalog_that_cannot_be_exported_keeps_no_receipt_back(home, eventually_async, monkeypatch):
    monkeypatch.setattr(renderer_room, "RETRY_SECONDS", 0.05)
    works = []

    def export(parquet, form, out, small):
        if not works:
            raise Broken("the child process died")
        home.export(parquet, form, out, small)

    painter = dataclasses.replace(home.painter, export=export)
    upload = home.receive()
    home.end(upload, State.PUBLISHED)

    async def told():
        await eventually_async(lambda: home.names("receipts") == [f"catalog.csv.{upload}.json"])
        assert home.history()[0]["state"] == "published"
        assert home.names("catalog") == []
        works.append(True)
        await eventually_async(lambda: home.names("catalog") == ["current.csv"])

    await running(Renderer(painter), told)


def test_what_did_not_change_is_not_written_again(home):
    home.paint()
    before = {name: files.get(home.store, "acme", "", name).blob for name in home.names("")}
    home.painter.mark("acme")
    home.paint()
    assert {name: files.get(home.store, "acme", "", name).blob for name in home.names("")} == before
    assert home.painter.stale() == []


def many(home, count, ended=State.UNCHANGED):
    """Uploads of the brand that ended, a minute apart, without the work of each."""
    first = home.receive()
    home.end(first, ended, files=[{"name": "x.errors.csv", "bytes": 5}])
    with home.store.write() as tx:
        row = dict(tx.conn.execute(sa.select(tables.upload)).one()._mapping)
        rows = [
            row | {"id": first + n, "received_at": row["received_at"] + timedelta(minutes=n)} for n in range(1, count)
        ]
        tx.conn.execute(sa.insert(tables.upload), rows)
        tx.mark_dirty("acme")
    return [first + n for n in range(count)]


def test_a_long_history_costs_its_last_uploads_alone(home):
    ids = many(home, 1200)
    while homes.dirty(home.store):
        home.paint()
    assert [int(line["upload"]) for line in home.history()] == ids[::-1]
    assert home.told() == ids[::-1]
    before = home.history()
    fresh, ended = home.receive("new.csv"), home.receive("held.csv")
    home.paint()
    home.end(fresh, State.PUBLISHED)
    home.end(ended, State.HELD)
    home.told()
    home.paint()
    assert home.told() == [ended, fresh]
    assert home.history()[2:] == before
    assert [line["state"] for line in home.history()[:2]] == ["held", "published"]
    assert f"new.csv.{fresh}.json" in home.names("receipts")
    uploads.refuse(home.store, ended, "ann")
    home.paint()
    assert home.told() == [ended]
    assert [line["state"] for line in home.history()[:2]] == ["refused", "published"]
    assert len(home.names("receipts")) == len(ids) + 2


async def test_a_brand_with_many_receipts_to_make_keeps_no_other_home_back(home, eventually_async, monkeypatch):
    monkeypatch.setattr(home_room, "RECEIPTS_A_TURN", 20)
    monkeypatch.setattr(history, "BATCH", 20)
    ids, order, listed = many(home, 50), [], files.replace
    brands.create(home.store, "bolt")

    def replace(tx, brand, file, upload=None):
        listed(tx, brand, file, upload=upload)
        order.append((brand, file.folder))

    monkeypatch.setattr(files, "replace", replace)

    async def all_there():
        await eventually_async(lambda: homes.dirty(home.store) == [])

    await running(Renderer(home.painter), all_there)
    turns = [(brand, len(list(same))) for brand, same in itertools.groupby(order, lambda each: each[0])]
    assert turns == [("acme", 20), ("bolt", 3), ("acme", 33)]
    assert len(home.names("receipts")) == len(ids)
    assert [int(line["upload"]) for line in home.history()] == ids[::-1]
    assert home.told() == ids[::-1]


async def test_a_receipt_does_not_wait_for_thousands_of_homes_that_only_a_setting_made_untrue(
    home, eventually_async, monkeypatch
):
    monkeypatch.setattr(renderer_room, "HOMES_A_TURN", 5)
    painted, listed = [], files.replace
    for number in range(30):
        brands.create(home.store, f"a{number}")
    upload = home.receive()
    home.paint()
    for number in range(30):
        home.painter.mark(f"a{number}")

    def replace(tx, brand, file, upload=None):
        listed(tx, brand, file, upload=upload)
        painted.append(brand)

    def front():
        if painted and ends:
            home.end(ends.pop(), State.UNCHANGED)
        return structs.replace(FRONT, host="new.example.com")

    ends = [upload]
    monkeypatch.setattr(files, "replace", replace)
    painter = dataclasses.replace(home.painter, front=front)
    await running(Renderer(painter), lambda: eventually_async(lambda: not ends and homes.dirty(home.store) == []))
    order = list(dict.fromkeys(painted))
    assert len(order) == 31
    assert 1 <= order.index("acme") <= 10
    assert home.names("receipts") == [f"catalog.csv.{upload}.json"]


def test_the_history_ends_where_the_instructions_say(home, monkeypatch):
    monkeypatch.setattr(home_room, "HISTORY_ROWS", 5)
    ids = many(home, 7)
    for _ in range(2):
        home.paint()
        assert [int(line["upload"]) for line in home.history()] == ids[:1:-1]
        home.painter.mark("acme")
    assert "the last 10,000 uploads" in home.read("", "README.txt")


def test_a_paint_that_comes_too_late_remembers_nothing(hosts):
    home, other = hosts
    upload = home.receive()
    late = meanwhile(home, lambda: other.paint("acme", seq_of(home.store)))
    home.end(upload, State.UNCHANGED)
    late.paint("acme", seq_of(home.store))
    with home.store.write() as tx:
        name = f"catalog.csv.{upload}.json"
        tx.conn.execute(sa.delete(tables.file).where(tables.file.c.folder == "receipts", tables.file.c.name == name))
        tx.mark_dirty("acme")
    late.paint("acme", seq_of(home.store))
    assert home.names("receipts") == [f"catalog.csv.{upload}.json"]


def test_whom_to_tell_of_an_upload_is_asked_again_when_settings_change(home):
    ids = many(home, 3)
    home.paint()
    brands.change_settings(home.store, "acme", lambda _: BrandSettings(contact="a@b.example"))
    home.told()
    home.paint()
    assert home.told() == ids[::-1]
    home.painter.mark("acme")
    home.paint()
    assert home.told() == []
    home.painter.past.forget()
    home.painter.mark("acme")
    home.paint()
    assert home.told() == ids[::-1]


def test_the_lines_of_many_brands_are_bounded(clock):
    past = Past(most=5)
    brand = [Brand(name, True, clock(), BrandSettings()) for name in ("a", "b", "c")]
    past.keep(brand[0], {1: b"1", 2: b"2"})
    past.keep(brand[1], {3: b"3", 4: b"4"})
    past.keep(brand[0], {1: b"1", 2: b"2", 5: b"5"})
    past.keep(brand[2], {6: b"6"})
    assert [past.of(each) for each in brand] == [{1: b"1", 2: b"2", 5: b"5"}, {}, {6: b"6"}]


def test_a_changed_address_makes_the_instructions_stale(home):
    home.paint()
    home.front = Address("new.example.com", 22)
    assert home.painter.stale() == ["acme"]


def test_an_erased_brand_is_no_fault(home):
    assert home.painter.paint("gone", 1) is False


def meanwhile(home, happens, **of_second):
    """Give a painter that, once it has read what it will tell, is overtaken by what happens."""
    todo = [happens]

    def front():
        while todo:
            todo.pop()()
        return FRONT

    return dataclasses.replace(home.painter, front=front, **of_second)


def test_a_painter_that_stalls_never_covers_what_another_host_painted_since(hosts):
    home, other = hosts
    upload = home.receive()

    def overtaken():
        home.end(upload, State.PUBLISHED)
        assert other.paint("acme", seq_of(home.store)) is False

    meanwhile(home, overtaken).paint("acme", seq_of(home.store))
    [line] = home.history()
    assert line["state"] == "published"
    assert home.names("receipts") == [f"catalog.csv.{upload}.json"]
    assert homes.dirty(home.store) == []


def test_what_ends_while_a_home_is_painted_is_painted_by_the_next_turn(hosts):
    home, other = hosts
    first, second = home.receive("first.csv"), home.receive("second.csv")
    meanwhile(home, lambda: home.end(first, State.UNCHANGED)).paint("acme", seq_of(home.store))
    home.end(second, State.UNCHANGED)
    [(brand, seq)] = homes.dirty(home.store)
    other.paint(brand, seq)
    assert {line["state"] for line in home.history()} == {"unchanged"}
    assert home.names("receipts") == [f"first.csv.{first}.json", f"second.csv.{second}.json"]


def test_an_export_that_ends_after_a_later_version_was_published_is_not_listed(hosts):
    home, other = hosts
    home.end(home.receive(), State.PUBLISHED, version_bytes=1 << 30)
    home.paint()

    def overtaken(parquet, form, out, small):
        home.export(parquet, form, out, small)
        home.end(home.receive(), State.PUBLISHED)
        other.paint("acme", seq_of(home.store))

    dataclasses.replace(home.painter, export=overtaken).paint_current("acme")
    assert home.read("catalog", "current.csv") == "sku\r\nv2"
    assert homes.dirty(home.store) == []
    kept = [blob.name for blob in home.blobs.listing(Area.CATALOG) if "/current-" in blob.name]
    assert kept == [files.get(home.store, "acme", "catalog", "current.csv").blob], "what nobody lists goes at once"


def test_hosts_that_paint_one_home_at_a_time_do_not_meet(hosts):
    home, other = hosts
    both = threading.Barrier(2, timeout=30)
    painters = [dataclasses.replace(each, front=lambda: (both.wait(), FRONT)[1]) for each in (home.painter, other)]
    with futures.ThreadPoolExecutor(2) as threads:
        for number in range(5):
            home.receive(f"{number}.csv")
            seq = seq_of(home.store)
            assert list(threads.map(lambda each, at=seq: each.paint("acme", at), painters)) == [False, False]
    assert len(home.history()) == 5


async def test_the_renderer_paints_by_itself_and_outlives_a_home_that_cannot_be_painted(home, eventually_async):
    brands.create(home.store, "broken")
    with home.store.write() as tx:
        tx.conn.exec_driver_sql("""UPDATE brand SET settings = '{"columns": 5}' WHERE name = 'broken'""")
    renderer = Renderer(home.painter)
    running = asyncio.create_task(renderer.run())
    await eventually_async(lambda: home.names("") == ["README.txt", "history.csv", "template.csv"])
    upload = home.receive()
    home.end(upload, State.PUBLISHED, version_bytes=1 << 30)
    renderer.wake()
    await eventually_async(lambda: "current.csv" in home.names("catalog"))
    assert home.names("receipts") == [f"catalog.csv.{upload}.json"]
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_a_brand_that_somebody_holds_keeps_no_other_home_back_and_is_painted_in_its_turn(
    store_url, files, eventually_async, monkeypatch
):
    monkeypatch.setattr(database, "BUSY_SECONDS", 1)
    monkeypatch.setattr(renderer_room, "RETRY_SECONDS", 0.05)
    with contextlib.closing(database.open_store(store_url)) as store:
        home = Home(store, files)
        brands.create(store, "bolt")

        def dirty():
            return [brand for brand, _ in homes.dirty(store)]

        renderer = Renderer(home.painter)
        with store.write() as tx:
            queue.lock(tx, "acme")
            task = asyncio.create_task(renderer.run())
            await eventually_async(lambda: dirty() == ["acme"])
        await eventually_async(lambda: dirty() == [])
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_instructions_that_could_not_be_looked_at_when_the_worker_started_are_made_true_later(
    store_url, files, eventually_async, monkeypatch
):
    monkeypatch.setattr(database, "BUSY_SECONDS", 1)
    with contextlib.closing(database.open_store(store_url)) as store:
        home = Home(store, files)
        home.paint()
        home.front = structs.replace(FRONT, host="new.example.com")
        renderer = Renderer(home.painter)
        with structlog.testing.capture_logs() as lines, store.write() as tx:
            tx.conn.execute(sa.select(tables.home).with_for_update())
            task = asyncio.create_task(renderer.run())
            await eventually_async(lambda: [line["event"] for line in lines] == ["home.render_deferred"])
        await eventually_async(lambda: "new.example.com" in home.read("", "README.txt"))
        home.front = structs.replace(FRONT, host="newer.example.com")
        with structlog.testing.capture_logs() as lines, store.write() as tx:
            tx.conn.execute(sa.select(tables.home).with_for_update())
            renderer.refresh()  # a reload that meets the same goes on
            await eventually_async(lambda: [line["event"] for line in lines] == ["home.render_deferred"])
        await eventually_async(lambda: "newer.example.com" in home.read("", "README.txt"))
        task.cancel()
        await asyncio.wait([task])


async def test_homes_are_looked_over_after_a_reload_though_the_store_was_away(home, eventually_async, monkeypatch):
    monkeypatch.setattr(renderer_room, "RETRY_SECONDS", 0.05)
    away = []

    def front():
        if away:
            raise StoreUnreachable(away.pop())
        return home.front

    renderer = Renderer(dataclasses.replace(home.painter, front=front))

    async def reloads():
        await eventually_async(lambda: "README.txt" in home.names(""))
        home.front, away[:] = structs.replace(FRONT, host="new.example.com"), ["it is away", "and again"]
        renderer.refresh()
        await eventually_async(lambda: "new.example.com" in home.read("", "README.txt"))
        assert away == []

    await running(renderer, reloads)


async def running(renderer, until):
    task = asyncio.create_task(renderer.run())
    try:
        await until()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_the_current_catalog_that_a_stop_left_unmade_is_made_by_the_next_start(home, eventually_async):
    home.end(home.receive(), State.PUBLISHED, version_bytes=1 << 30)
    home.paint()
    home.painter.paint_current("acme")
    home.end(home.receive(), State.PUBLISHED, version_bytes=1 << 30)
    assert home.paint() == [True]  # and here its process ends
    assert homes.dirty(home.store) == []
    assert home.read("catalog", "current.csv") == "sku\r\nv1"
    await running(
        Renderer(home.painter), lambda: eventually_async(lambda: home.read("catalog", "current.csv") == "sku\r\nv2")
    )


async def test_the_current_catalog_of_another_host_that_died_is_made_by_who_lives(hosts, eventually_async, monkeypatch):
    home, other = hosts
    monkeypatch.setattr(renderer_room, "LOOK_SECONDS", 0.05)
    living = Renderer(home.painter)

    async def dies():
        await eventually_async(lambda: homes.dirty(home.store) == [])
        home.end(home.receive(), State.PUBLISHED, version_bytes=1 << 30)
        other.paint("acme", seq_of(home.store))
        await eventually_async(lambda: home.names("catalog") == ["current.csv"])

    await running(living, dies)


async def test_an_export_that_fails_is_tried_again_and_stands_once_in_the_queue(home, eventually_async, monkeypatch):
    monkeypatch.setattr(renderer_room, "RETRY_SECONDS", 0.05)
    left = [1, 2, 3]

    def export(parquet, form, out, small):
        if left:
            raise RuntimeError(f"the child process died: {left.pop()}")
        home.export(parquet, form, out, small)

    home.end(home.receive(), State.PUBLISHED, version_bytes=1 << 30)
    renderer = Renderer(dataclasses.replace(home.painter, export=export))
    # A second paint, for the instructions, may ask once more while the first export runs.
    await running(renderer, lambda: eventually_async(lambda: home.names("catalog") == ["current.csv"]))
    assert len(home.exported) == 1


@pytest.mark.parametrize("turns", range(6))
async def test_the_renderer_ends_though_it_is_woken_in_the_same_moment(home, turns, eventually_async):
    renderer = Renderer(home.painter)
    running = asyncio.create_task(renderer.run())
    await eventually_async(lambda: homes.dirty(home.store) == [])
    renderer.wake()
    for _ in range(turns):  # of the loop: where between two of its steps the end meets it
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running], timeout=10)
    assert running.cancelled()
    await asyncio.get_running_loop().shutdown_default_executor()  # a thread that still paints holds a connection


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("=1+1", "'=1+1"),
        ("'=1", "''=1"),
        ("-5", "-5"),
        ("+49,5", "+49,5"),
        ("-5-5", "'-5-5"),
        ("@cmd", "'@cmd"),
        ("\tx", "'\tx"),
        ("a=b", "a=b"),
        (None, ""),
        (7, "7"),
    ],
)
def test_a_cell_that_a_spreadsheet_would_execute_is_escaped(value, printed):
    assert text.cell(value) == printed


def test_names_from_outside_cannot_start_a_line_of_the_history(home):
    upload = home.receive('inbox/=cmd|"a,b.csv')
    home.end(upload, State.UNCHANGED)
    home.paint()
    text = home.read("", "history.csv")
    [line] = csv.DictReader(io.StringIO(text, newline=""))
    assert line["name"] == 'inbox/=cmd|"a,b.csv'
