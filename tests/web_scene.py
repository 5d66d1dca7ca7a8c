"""A gateway with a past, served over a real socket: what test_web*.py and test_page.py look at.

Uploads are received, claimed and finished through the store as the worker does it, with files in place.
"""

import asyncio
import atexit
import contextlib
import functools
import secrets
import threading
from dataclasses import dataclass, field
from datetime import timedelta

from sftp_gateway import receipt, upload_name
from sftp_gateway.blobs import Area, LocalFiles
from sftp_gateway.daemon.server import Server
from sftp_gateway.health import Health
from sftp_gateway.store import brands, jobs, tokens, uploads, versions
from sftp_gateway.store.figures import Tally
from sftp_gateway.store.files import NewFile
from sftp_gateway.store.frontdoor import Address
from sftp_gateway.store.withheld import Withheld
from sftp_gateway.upload import Mode, State
from sftp_gateway.web.app import build_app
from sftp_gateway.web.desk import Desk, Gate
from tests import sent

CHANGES = (
    "\ufeffop,key,column,before,after\r\n"
    "updated,A-1,msrp,15.00,18.50\r\n"
    'updated,A-1,name,"Enamel mug, blue","Enamel mug\nsky blue"\r\n'
    "updated,A-2,description,'=1+1,''=2+2\r\n"
    "created,A-9,,,\r\n"
)


@dataclass
class Scene:
    store: object
    root: object
    now: object = None
    woken: list = field(default_factory=list)
    ready: dict = field(default_factory=lambda: {"sftp": True, "free": 10**12, "takes": None})
    figures: dict = field(default_factory=dict)
    room: int = 10**9

    def __post_init__(self):
        self.files = LocalFiles(self.root)
        brands.create(self.store, "acme")
        brands.create(self.store, "bolt")

    def token(self, name="ops", **kwargs):
        return tokens.add(self.store, name, **kwargs)[1]

    def keep(self, area, name, data):
        path = self.files.scratch("test-") / "body"
        path.write_bytes(data)
        return self.files.keep(area, name, path)

    def receive(self, data=b"sku,name,msrp\nA-1,Mug,15\n", brand="acme", path="inbox/catalog.csv", **kwargs):
        given = {"via": "sftp", "complete": False, "client": {"ip": "192.0.2.7"}} | kwargs
        return uploads.get(self.store, sent.text(self.store, self.files, data, brand, path, **given))

    def finish(self, upload, state=State.PUBLISHED, *, files=None, withheld=0, reasons=(), findings=(), **parts):
        """Work on it as the worker does: claim, files in place, one fenced finish."""
        job = jobs.claim(self.store, owner="test", lease_seconds=60, brand=upload.brand)
        assert job is not None
        assert job.upload.id == upload.id
        made = [self.result(upload, name, data) for name, data in (files or {}).items()]
        told = receipt.blank(job.upload) | {"findings": list(findings), "rules": "r1"}
        told["files"] = [{"name": new.name, "bytes": new.bytes} for new in made if new.folder != "internal"]
        for part, values in {"seconds": {"read": 0.2, "total": 0.9}, **parts}.items():
            told[part] = told[part] | values if isinstance(values, dict) else values
        told["changes"]["withheld"] = withheld
        number = brands.get(self.store, upload.brand).current_version + 1
        kept = withheld and Withheld(upload.id, "keys.parquet", withheld, self.store.now(), upload.sha256)
        jobs.finish(
            self.store,
            job.id,
            job.token,
            jobs.Finish(
                state,
                told,
                reasons=tuple(reasons),
                files=tuple(made),
                version=self.version(upload, number, told) if state is State.PUBLISHED else None,
                keeps_withheld=state is not State.PUBLISHED,
                withheld=kept or None,
                mode=upload.mode,
            ),
        )
        return uploads.get(self.store, upload.id)

    def result(self, upload, name, data):
        folder = "receipts" if name.endswith(".json") else "api" if name.endswith(".gz") else "errors"
        folder = "internal" if "accepted" in name else folder
        blob = f"{upload.id}-x/{upload_name.safe(name)}"
        return NewFile(folder, name, Area.RESULTS, blob, self.keep(Area.RESULTS, blob, data))

    def version(self, upload, number, told):
        blobs = {kind: f"{upload.brand}/{number}.{kind}" for kind in ("parquet", "changes.csv")}
        size = self.keep(Area.CATALOG, blobs["parquet"], b"PAR1-catalog")
        return versions.NewVersion(
            number,
            blobs["parquet"],
            size,
            told["products"]["after"],
            ("sku", "name"),
            changes_csv=blobs["changes.csv"],
            changes_csv_bytes=self.keep(Area.CATALOG, blobs["changes.csv"], CHANGES.encode()),
            rules="r1",
            sha256=upload.sha256,
            mode=str(upload.mode),
        )

    @contextlib.contextmanager
    def export(self, brand, version, form):
        path = self.files.scratch("export-") / f"out.{form}"
        path.write_text(f"{brand} {version} {form}\n")
        yield path
        path.unlink()

    def takes_files(self):
        if self.ready["takes"]:
            raise self.ready["takes"]

    def app(self, public_url="", session_key=None):
        desk = Desk(
            self.store,
            self.files,
            Health(self.store, lambda: self.ready["sftp"], lambda: self.ready["free"], lambda: 1000, self.takes_files),
            Gate(self.store, session_key or secrets.token_bytes(32), public_url),
            Tally(self.store),
            export=self.export,
            wake=lambda: self.woken.append(1),
            room=lambda brand: self.room,
            sftp_address=lambda: Address("sftp.example.com", 2222),
            figures=lambda: self.figures,
        )
        return build_app(desk)

    @contextlib.contextmanager
    def serve(self, **kwargs):
        """Answer with this scene on the one server of these tests; gives the address."""
        server, apps = _shared()
        apps.append(self.app(**kwargs))
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            apps.pop()


@functools.cache
def _shared():
    """Start the server that all scenes take turns on, in a thread of its own, until Python ends."""
    apps = []

    async def latest(scope, receive, send):
        await apps[-1](scope, receive, send)

    server, thread = start(latest)
    atexit.register(lambda: (server.stop(), thread.join(10)))
    return server, apps


def start(app, trusted_proxies=()):
    """Serve on a free port from a new thread; `server.stop()` ends both."""
    server = Server(app, "127.0.0.1", 0, trusted_proxies)
    thread = threading.Thread(target=lambda: asyncio.run(_run(server)), daemon=True)
    thread.start()
    return server, thread


async def _run(server):
    async with server:
        await server.run()


def finding(code, severity, column, count, *samples):
    rows = [
        {
            "row": row,
            "line": row,
            "byte_offset": row and row * 100,
            "key": key,
            "value": value,
            "message": text,
            "suggestion": fix,
        }
        for row, key, value, text, fix in samples
    ]
    return {"code": code, "severity": severity, "column": column, "rule": None, "count": count, "samples": rows}


def populate(scene):
    """Give the brands a past that shows every state a page can show; gives upload ids by state."""
    now, ids = scene.store.now(), {}

    def came(name, hours, **kwargs):
        return scene.receive(
            f"sku,name,msrp\n{name}\n".encode() * 4000,
            path=f"inbox/{name}",
            received_at=now - timedelta(hours=hours),
            **kwargs,
        )

    first = came("spring-2026.csv", 75)
    scene.finish(first, rows={"read": 3980, "accepted": 3980}, changes={"created": 3980}, products={"after": 3980})
    ids["first"] = first.id
    item = came("stock-friday.csv", 52)
    ids["unchanged"] = scene.finish(item, State.UNCHANGED, rows={"read": 3980, "accepted": 3980}).id
    item = came("template_final(2).xlsx", 50)
    text = "The header has 25 names and every row 26 values: a comma is missing after “size”."
    ids["refused"] = scene.finish(
        item,
        State.REFUSED,
        files={"template_final_2_.xlsx.3.errors.csv": b"x" * 900, "template_final_2_.xlsx.3.json": b"{}"},
        findings=[
            finding(
                "FILE_HEADER_COLUMNS",
                "fatal",
                None,
                1,
                (None, "", "", text, "Add the missing comma in the header row."),
            )
        ],
    ).id
    item = came("dry-run.csv", 30, mode=Mode.TEST)
    ids["tested"] = scene.finish(item, State.TESTED, rows={"read": 4012, "accepted": 4012}, would_be="published").id
    item = came("new-skus.csv", 26, brand="bolt")
    reasons = [
        {"code": "key_change", "figure": 0.02, "limit": 0.5, "text": "Only 2 % of the current keys are in this file, and 97 % of its keys are new: did the SKUs change?"},
        {"code": "removals_withheld", "figure": 0.98, "limit": 0.2, "text": "3,900 of 3,980 products would be removed."},
    ]  # fmt: skip
    ids["held"] = scene.finish(
        item,
        State.HELD,
        reasons=reasons,
        rows={"read": 3991, "accepted": 3991},
        changes={"created": 3911, "removed": 3900, "updated": 12},
        products={"before": 3980, "after": 3991},
    ).id
    item = came("broken-upload.csv", 20, brand="bolt")
    ids["failed"] = item.id
    while (job := jobs.claim(scene.store, owner="test", lease_seconds=60)) is not None:
        jobs.hand_back(scene.store, job.id, job.token, error="the child died of signal 11", tries=1)
    item = came("prices-nov.csv", 2, mode=Mode.PARTIAL)
    ids["published"] = scene.finish(
        item,
        files={
            "prices-nov.csv.7.errors.csv": b"upload,row\r\n7,12\r\n",
            "prices-nov.csv.7.corrections.csv": b"sku,msrp\r\nA-12,12,5\r\n" * 9,
            "prices-nov.csv.7.errors.jsonl.gz": b"\x1f\x8b",
            "prices-nov.csv.7.json": b'{"upload": 7}',
            "prices-nov.csv.7.accepted.parquet": b"internal",
        },
        rows={"read": 415, "accepted": 412, "rejected": 3, "warned": 2},
        changes={"created": 1, "updated": 398, "unchanged": 13},
        products={"before": 3980, "after": 3981},
        file={"format": "csv", "encoding": "utf-8", "delimiter": ","},
        findings=[
            finding("FIELD_GTIN", "error", "gtin", 2,
                (12, "A-12", "4006381333932", "The last digit should be 1: this is no valid GTIN.", "Check the number on the package, or leave the cell empty."),
                (98, "A-98", "4.00638E+12", "A spreadsheet turned this number into 4.00638E+12; digits are lost.", "Format the column as text, then enter the number again.")),
            finding("FIELD_TYPE", "error", "msrp", 1, (311, "A-311", "ca. 12", "“ca. 12” is no amount of money.", "Write an amount like 12.00 or 12.00 EUR.")),
            finding("FIELD_RULE", "warning", "msrp", 2, (40, "A-40", "9.00", "msrp is below cost", "Check both prices.")),
            finding("FILE_HEADER_UNKNOWN", "warning", "prise", 1, (None, "", "prise", "The column “prise” is unknown and was left out.", "Did you mean price?")),
        ],
    ).id  # fmt: skip
    item = came("autumn-2026.csv", 1)
    ids["withheld"] = scene.finish(
        item,
        withheld=1220,
        rows={"read": 2790, "accepted": 2790},
        changes={"created": 29, "updated": 310, "unchanged": 2451},
        products={"before": 3981, "after": 4010},
        reasons=[{"code": "removals_withheld", "figure": 0.31, "limit": 0.2, "text": "1,220 of 3,981 products (31 %) are not in this file; more than 20 % are not removed without a confirmation."}],
    ).id  # fmt: skip
    item = came("autumn-2026-fixed.csv", 0.02)
    ids["processing"] = item.id
    job = jobs.claim(scene.store, owner="test", lease_seconds=3000)
    jobs.beat(scene.store, job.id, job.token, 3000, progress=("check", 0.62))
    ids["received"] = came("autumn-again.csv", 0.001).id
    return ids
