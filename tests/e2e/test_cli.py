"""The command line as people and programs use it: every verb, its exit code, its words."""

import contextlib
import csv
import gc
import io
import json
import logging
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import structlog

from sftp_gateway import blobs, cli, retention, settings
from sftp_gateway.sftp import hostkeys
from sftp_gateway.store import database
from sftp_gateway.worker import crew
from tests import sent

GATEWAY = [sys.executable, "-m", "sftp_gateway"]
HEADER = "sku,name,msrp,brand,cost,gtin,images\n"


class Shell:
    """A gateway of its own under a folder, and its verbs, called as the console script calls them."""

    def __init__(self, folder: Path, monkeypatch, capfd) -> None:
        self.folder, self.monkeypatch, self.capfd = folder, monkeypatch, capfd
        for name in [name for name in os.environ if name.startswith("SFTP_GATEWAY_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("SFTP_GATEWAY_STORAGE__ROOT", str(folder / "root"))
        monkeypatch.setenv("SFTP_GATEWAY_TRACEBACK", "1")

    def __call__(self, *arguments: str, ends: int = 0, typed: str = "") -> str:
        self.monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        self.capfd.readouterr()
        try:
            code = cli.main(arguments)
        except SystemExit as usage:
            code = usage.code
        said, complained = self.capfd.readouterr()
        assert code == ends, f"{arguments}: {code}\n{said}\n{complained}"
        return said or complained

    def json(self, *arguments: str, ends: int = 0):
        return json.loads(self(*arguments, "--json", ends=ends))

    def file(self, name: str, rows: list[str], header: str = HEADER) -> str:
        (self.folder / name).write_text(header + "".join(row + "\n" for row in rows))
        return str(self.folder / name)

    def ingest(self, *arguments: str, ends: int = 0):
        return self.json("ingest", "--brand", "acme", *arguments, ends=ends)


@pytest.fixture(scope="module")
def children():
    """Children for all verbs of these tests: half of what a verb costs that works on a file is to start its own."""
    with contextlib.closing(crew.of(settings.Worker())) as kept:
        yield kept


class Lent:
    """What a verb takes for children of its own: they outlive it."""

    def __init__(self, children: crew.Crew) -> None:
        self.start, self.run = children.start, children.run

    def close(self) -> None:
        pass


@pytest.fixture
def shell(tmp_path, monkeypatch, capfd, children):
    handlers, level, interval = logging.getLogger().handlers[:], logging.getLogger().level, sys.getswitchinterval()
    monkeypatch.setattr(crew, "of", lambda _: Lent(children))
    monkeypatch.setattr(gc, "freeze", int)  # what tests made and let go would never be freed
    made = Shell(tmp_path, monkeypatch, capfd)
    made("brand", "add", "acme")
    yield made
    # What a verb does to its process, which here is the tests'.
    sys.setswitchinterval(interval)
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def product(number: int, price: str = "10.00") -> str:
    return f"A-{number},Product {number},{price},Acme,4.50,,https://img.example.com/{number}.jpg"


def catalog_of(shell: Shell, *arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(shell("catalog", "--brand", "acme", *arguments))))


def test_the_main_job_from_the_shell(shell):
    receipt = shell.ingest(shell.file("feed.csv", [product(n) for n in range(100)]))
    assert (receipt["state"], receipt["version"], receipt["changes"]["created"]) == ("published", 1, 100)
    assert receipt["file"]["name"] == "feed.csv"
    products = catalog_of(shell)
    assert (len(products), products[0]["sku"], products[0]["msrp"]) == (100, "A-0", "10.00")
    said = shell("upload", "1")
    assert "feed.csv: Live" in said


def test_the_same_file_again_changes_nothing(shell):
    file = shell.file("feed.csv", [product(n) for n in range(5)])
    shell.ingest(file)
    assert shell.ingest(file)["state"] == "unchanged"
    assert len(shell.json("versions", "--brand", "acme")["versions"]) == 1


def test_a_refused_file_ends_with_one_and_a_query_about_it_with_nought(shell):
    receipt = shell.ingest(shell.file("empty.csv", []), ends=1)
    assert (receipt["state"], receipt["findings"][0]["code"]) == ("refused", "FILE_EMPTY")
    assert shell.json("upload", str(receipt["upload"]))["state"] == "refused"
    shell("catalog", "--brand", "acme", ends=2)


def test_a_dry_run_ends_with_nought_whatever_it_found(shell):
    receipt = shell.ingest("--mode", "test", shell.file("bad.csv", ["A-1,,x,,,,"]))
    assert (receipt["state"], receipt["would_be"], receipt["version"]) == ("tested", "refused", None)


def test_a_hold_is_approved_and_another_refused(shell):
    shell.ingest(shell.file("one.csv", [product(n) for n in range(60)]))
    other = [row.replace("A-", "a") for row in (product(n) for n in range(60))]
    held = shell.ingest(shell.file("two.csv", other), ends=1)
    assert held["state"] == "held"
    assert "key_change" in {reason["code"] for reason in held["reasons"]}
    assert shell.json("refuse", str(held["upload"]))["state"] == "refused"
    shell("approve", str(held["upload"]), ends=1)
    again = shell.json("retry", str(held["upload"]), ends=1)
    assert (again["state"], again["source_upload"]) == ("held", held["upload"])
    approved = shell.json("approve", str(again["upload"]))
    assert (approved["state"], approved["version"], approved["products"]["after"]) == ("published", 2, 60)


def test_what_waits_for_a_decision_is_told_with_the_verbs_that_decide_it(shell):
    """It was Live, and no more: the page alone said that removals wait."""
    shell.ingest(shell.file("one.csv", [product(n) for n in range(100)]))
    said = shell("ingest", "--brand", "acme", shell.file("two.csv", [product(n) for n in range(40)]))
    assert "two.csv: Live, removals on hold.\n" in said and "60 removals wait for your decision." in said
    assert "  Decide:   `approve 2` removes them, `refuse 2` keeps them\n" in said
    assert shell("upload", "2") == said
    assert shell("refuse", "2") == "60 products kept, though not in the file; nothing was removed.\n"
    assert len(catalog_of(shell)) == 100
    shell("approve", "2", ends=1)
    assert "two.csv: Live.\n" in shell("upload", "2") and "Decide" not in shell("upload", "2")
    said = shell("ingest", "--brand", "acme", shell.file("new.csv", [product(n) for n in range(900, 990)]), ends=1)
    assert "  Decide:   `approve 3` publishes it, `refuse 3` leaves the catalog as it is\n" in said


def test_approve_says_how_many_products_it_removed_not_how_many_were_withheld(shell):
    shell.ingest(shell.file("one.csv", [product(n) for n in range(100)]))
    short = shell.ingest(shell.file("two.csv", [product(n) for n in range(40)]))
    assert (short["state"], short["changes"]["withheld"], short["changes"]["removed"]) == ("published", 60, 0)
    gone = shell.file("gone.csv", ["A-50,delete", "A-51,delete"], header="sku,_op\n")
    assert shell.ingest("--mode", "partial", gone)["changes"]["deleted"] == 2
    assert len(catalog_of(shell)) == 98
    assert shell("approve", str(short["upload"])) == "58 products removed; version 4 of acme is live.\n"
    assert len(catalog_of(shell)) == 40
    assert shell.json("upload", str(short["upload"]))["state"] == "published"
    shorter = shell.ingest(shell.file("three.csv", [product(n) for n in range(10)]))
    assert shorter["changes"]["withheld"] == 30
    assert shell.json("approve", str(shorter["upload"])) == shorter | {"released": {"version": 6, "removed": 30}}


def arrives(shell, name: str, count: int) -> int:
    """Put a full file of that many products into the queue, as a door does beside a verb of the shell; gives its upload."""
    rows = HEADER + "".join(product(n) + "\n" for n in range(count))
    files = blobs.open_files(settings.Storage(root=shell.folder / "root"))
    with contextlib.closing(database.open_store(f"sqlite:///{shell.folder / 'root' / 'gateway.db'}")) as store:
        return sent.text(store, files, rows, path=name, via="sftp")


@pytest.mark.parametrize(
    ("later", "live", "says"),
    [
        (30, 100, "upload 3 decided about these removals before their turn came: nothing was removed; see `upload 3`"),
        (90, 100, "upload 3 decided about these removals before their turn came: nothing was removed; see `upload 3`"),
        (100, 100, "a later full file decided about these removals before their turn came, and none is withheld"),
    ],
)
def test_an_approval_removes_what_its_person_saw_and_never_what_a_later_file_withholds(shell, later, live, says):
    shell("brand", "set", "acme", "guards.removal_share=0.05", "guards.removal_products=5")
    shell.ingest(shell.file("one.csv", [product(n) for n in range(100)]))
    short = shell.ingest(shell.file("two.csv", [product(n) for n in range(80)]))
    assert short["changes"]["withheld"] == 20
    arrives(shell, "three.csv", later)
    told = shell.json("approve", str(short["upload"]), ends=1)
    assert told["error"].startswith(says)
    assert len(catalog_of(shell)) == live
    assert shell.json("upload", "3")["changes"]["withheld"] == 100 - later
    shell("approve", str(short["upload"]), ends=1)
    if later < 100:
        assert shell("approve", "3") == f"{100 - later} products removed; version 4 of acme is live.\n"
        assert len(catalog_of(shell)) == later


def test_versions_changes_and_rollback(shell):
    shell.ingest(shell.file("one.csv", [product(n) for n in range(10)]))
    shell.ingest(shell.file("two.csv", [product(n, "12.50") for n in range(10)]))
    changes = list(csv.DictReader(io.StringIO(shell("changes", "--brand", "acme").lstrip("\ufeff"))))
    assert [json.loads(line) for line in shell("changes", "--brand", "acme", "--json").splitlines()] == changes
    assert {(c["op"], c["column"], c["before"], c["after"]) for c in changes} == {("updated", "msrp", "10.00", "12.50")}
    assert shell.json("rollback", "--brand", "acme", "1") == {
        "brand": "acme",
        "version": 3,
        "equals": 1,
        "products": 10,
    }
    assert {p["msrp"] for p in catalog_of(shell)} == {"10.00"}
    assert {p["msrp"] for p in catalog_of(shell, "--version", "2")} == {"12.50"}
    listed = shell.json("versions", "--brand", "acme")["versions"]
    assert [(v["version"], v["current"], v["equals"]) for v in listed] == [
        (3, True, 1),
        (2, False, None),
        (1, False, None),
    ]
    shell("rollback", "--brand", "acme", "9", ends=2)


def test_a_version_whose_bytes_are_gone_is_told_so(shell):
    for price in ("10.00", "11.00", "12.00"):
        shell.ingest(shell.file("feed.csv", [product(n, price) for n in range(3)]))
    with contextlib.closing(database.open_store(f"sqlite:///{shell.folder}/root/gateway.db")) as store:
        kept = blobs.open_files(settings.Storage(root=shell.folder / "root"))
        retention.sweep(store, kept, settings.Retention(versions=1), store.now())
    said = shell("catalog", "--brand", "acme", "--version", "1", ends=2)
    assert "the bytes of version 1 were removed after their time" in said
    assert "were removed after their retention" in shell("changes", "--brand", "acme", "--version", "1", ends=2)
    assert "no version 9" in shell("catalog", "--brand", "acme", "--version", "9", ends=2)


def test_changes_for_programs_are_the_values_of_the_catalog_however_long(shell):
    """changes.csv guards what a spreadsheet would execute with a quote; JSON gave that quote as if it were the brand's."""
    header = "sku,name,msrp,description,tags\n"
    tags = "|".join(f"t{n:06d}" for n in range(20_000))
    shell.ingest(shell.file("one.csv", ["A-1,Chair,10.00,- soft,", "A-2,=Table,10.00,'quoted,"], header))
    shell.ingest(shell.file("two.csv", ["A-1,Chair,10.00,=1+1,", f"A-2,=Table,10.00,@,{tags}"], header))
    changes = [json.loads(line) for line in shell("changes", "--brand", "acme", "--json").splitlines()]
    assert {(c["key"], c["column"], c["before"], c["after"]) for c in changes} == {
        ("A-1", "description", "- soft", "=1+1"),
        ("A-2", "description", "'quoted", "@"),
        ("A-2", "tags", "", tags),
    }


def test_a_catalog_comes_as_json_lines_and_parquet_too(shell, tmp_path):
    shell.ingest(shell.file("one.csv", [product(n) for n in range(3)]))
    lines = [json.loads(line) for line in shell("catalog", "--brand", "acme", "--format", "jsonl").splitlines()]
    assert [line["sku"] for line in lines] == ["A-0", "A-1", "A-2"]
    asked = shell("catalog", "--brand", "acme", "--json")  # it was CSV
    assert [json.loads(line) for line in asked.splitlines()] == lines
    shell("catalog", "--brand", "acme", "--json", "--output", str(tmp_path / "c.csv"))
    assert (tmp_path / "c.csv").read_text().startswith("sku,name,")
    shell("catalog", "--brand", "acme", "--format", "parquet", "--output", str(tmp_path / "c.parquet"))
    assert (tmp_path / "c.parquet").read_bytes()[:4] == b"PAR1"


def test_uploads_are_listed_newest_first_in_pages(shell):
    for number in range(3):
        shell.ingest(shell.file(f"feed{number}.csv", [product(n, f"{number + 1}.00") for n in range(3)]))
    page = shell.json("uploads", "--limit", "2")
    assert [item["upload"] for item in page["uploads"]] == [3, 2]
    assert all("findings" not in item for item in page["uploads"])
    rest = shell.json("uploads", "--limit", "2", "--cursor", str(page["next"]))
    assert ([item["upload"] for item in rest["uploads"]], rest["next"]) == ([1], None)
    assert shell.json("uploads", "--state", "refused,held")["uploads"] == []
    assert "feed2.csv" in shell("uploads")
    assert "no such state" in shell("uploads", "--state", "lost", ends=2)


def has_open(pid: int, name: str) -> bool:
    """Whether a process has a file of that name open now."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if descriptor.readlink().name == name:
                return True
    return False


def test_what_several_people_set_at_once_is_all_set(shell):
    columns = ("name", "msrp")
    with contextlib.closing(sqlite3.connect(shell.folder / "root" / "gateway.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # until all have begun
        verbs = [
            subprocess.Popen([*GATEWAY, "brand", "set", "acme", f"columns.{name}=Their {name}"]) for name in columns
        ]
        for verb in verbs:
            while not has_open(verb.pid, "gateway.db"):
                assert verb.poll() is None
        other.execute("ROLLBACK")
    assert [verb.wait(timeout=60) for verb in verbs] == [0] * len(columns)
    assert shell.json("brand", "show", "acme")["settings"]["columns"] == {name: f"Their {name}" for name in columns}


def test_a_list_of_nothing_does_not_say_that_there_was_never_anything(shell):
    assert shell("uploads") == "No uploads yet.\n"
    assert shell("uploads", "--brand", "acme") == "No uploads of acme yet.\n"
    shell.ingest(shell.file("one.csv", [product(1)]))
    for asked in (
        ["--state", "held"],
        ["--since", "2999-01-01"],
        ["--cursor", "1"],
        ["--brand", "acme", "--state", "held"],
    ):
        assert shell("uploads", *asked) == "No uploads like that.\n"


def test_brands_are_added_shown_changed_and_erased(shell, tmp_path):
    made = shell.json("brand", "add", "bolt")
    assert made["brand"] == made["user"] == "bolt"
    assert len(made["password"]) >= 20
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    assert "password" not in shell.json("brand", "add", "cord", "--key", str(tmp_path / "key.pub"))
    key = shell.json("brand", "show", "cord")["keys"][0]
    shell("brand", "set", "cord", "currency=EUR", "guards.removal_share=0.5")
    assert shell.json("brand", "show", "cord")["settings"] == {"currency": "EUR", "guards": {"removal_share": 0.5}}
    shell("brand", "key", "remove", "cord", key["fingerprint"])
    over = ("brand", "key", "add", "cord", str(tmp_path / "key.pub"), "--expires", "2020-01-01")
    assert "over already" in shell(*over, ends=2)  # "may log in from now on", it said
    assert not shell.json("brand", "show", "cord")["keys"]
    shell("brand", "disable", "cord")
    assert "logs in with nothing" in shell("brand", "show", "cord")
    shell("brand", "disable", "bolt")
    assert "disabled" in (shown := shell("brand", "show", "bolt")) and "logs in with a password\n" in shown
    assert shell.json("brand", "show", "bolt")["password"]  # it counts again as soon as the brand is enabled
    shell("brand", "enable", "bolt")
    listed = {b["brand"]: b["enabled"] for b in shell.json("brand", "list")["brands"]}
    assert listed == {"acme": True, "bolt": True, "cord": False}
    shell("erase", "--brand", "bolt", ends=77, typed="no\n")
    assert "--yes" in shell("erase", "--brand", "bolt", ends=77, typed="")
    assert re.search(
        r"Erased bolt: \d+ rows and 0 files; digest [0-9a-f]{64}\.", shell("erase", "--brand", "bolt", typed="bolt\n")
    )
    shell("brand", "set", "acme", "currency=zzz", ends=2)
    assert "no" in shell("brand", "show", "bolt", ends=2)


def under(folder: Path) -> list[str]:
    """Give what lies below a folder, files and directories."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_erase_also_removes_what_later_files_had_replaced(shell):
    shell.ingest(shell.file("all.csv", [product(n) for n in range(100)]))
    for count in (10, 11):  # the second one takes the place of what the first one withheld
        shell.ingest(shell.file("few.csv", [product(n) for n in range(count)]))
    shell("brand", "add", "bolt")
    shell.json("ingest", "--brand", "bolt", shell.file("bolt.csv", [product(n) for n in range(3)]))
    proof = shell.json("erase", "--brand", "acme", "--yes")
    root = shell.folder / "root"
    left = [name for area in ("results", "catalog") for name in under(root / area)]
    assert left and all(name.startswith(("bolt", "4-")) for name in left)
    assert len([path for path in (root / "blobs").rglob("*") if path.is_file()]) == 1
    assert proof["blobs"] >= 3 + 2 + 2


def test_erase_empties_the_drop_folder_and_follows_no_link_out_of_it(shell):
    drop, outside = shell.folder / "root" / "drop", shell.folder / "outside"
    for place in (drop / "acme" / "inbox" / "deeper", drop / "bolt" / "inbox", outside):
        place.mkdir(parents=True)
        (place / "secret.csv").write_text(HEADER)
    (drop / "acme" / "inbox" / "link").symlink_to(outside)
    (drop / "acme" / "partial").symlink_to(outside)
    proof = shell.json("erase", "--brand", "acme", "--yes")
    assert proof["dropped"] == 1
    assert under(drop) == ["bolt", "bolt/inbox", "bolt/inbox/secret.csv"]
    assert under(outside) == ["secret.csv"]
    shell("brand", "add", "acme")
    (drop / "acme").symlink_to(outside)
    shell("erase", "--brand", "acme", "--yes")
    assert under(drop) == ["bolt", "bolt/inbox", "bolt/inbox/secret.csv"]
    assert under(outside) == ["secret.csv"]


def test_erase_says_what_it_could_not_remove_from_the_drop_folder(shell):
    """The rows are gone by then, so the verb cannot be tried again: whoever runs it must hear what is left, and where."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        Path(name).chmod(0o755)
        root = Path(name) / "root"
        shell.monkeypatch.setenv("SFTP_GATEWAY_STORAGE__ROOT", str(root))
        shell("brand", "add", "acme")
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "nobody:nogroup", str(root)], check=True)
        inbox = root / "drop" / "acme" / "inbox"
        inbox.mkdir(parents=True)
        for file in (inbox / "secret.csv", root / "drop" / "acme" / "note.txt"):
            file.write_text(HEADER)
        inbox.chmod(0o555)
        done = subprocess.run(
            [*GATEWAY, "erase", "--brand", "acme", "--yes"], capture_output=True, text=True, check=False
        )
        assert (inbox / "secret.csv").exists()
        inbox.chmod(0o755)
    assert (done.returncode, done.stdout.split(":")[0]) == (77, "Erased acme")
    assert f"{inbox.parent} is still there, remove it by hand" in done.stderr


STRANGE = [
    "AB-1;Rode houten stoel;12,50;4006381333931",
    "AB-2;Blauwe houten tafel;99,00;0036000291452",
    "AB-3;Gele stoel;5,00;",
]


def test_a_column_mapping_is_proposed_from_a_file_and_saved_on_yes(shell):
    file = shell.file("feed.csv", STRANGE, "Ref;Omschrijving;Adviesprijs;Streepjes\n")
    want = {"sku": "Ref", "name": "Omschrijving", "msrp": "Adviesprijs", "gtin": "Streepjes"}
    assert shell.ingest(file, ends=1)["state"] == "refused"

    proposed = shell.json("brand", "map", "acme", "--from", file)
    assert {item["column"]: item["header"] for item in proposed["columns"]} == want
    assert proposed["saved"] is False
    for answer in ("no\n", "\n", ""):
        said = shell("brand", "map", "acme", "--from", file, ends=77, typed=answer)
        assert "4006381333931, 0036000291452" in said
        assert "100% are numbers with the check digit of a GTIN" in said
    assert shell.json("brand", "show", "acme")["settings"] == {}, "nothing was written without a yes"

    assert "Saved for acme" in shell("brand", "map", "acme", "--from", file, typed="y\n")
    assert shell.json("brand", "show", "acme")["settings"] == {"columns": want}
    assert shell.ingest(file)["rows"]["accepted"] == 3
    again = shell.json("brand", "map", "acme", "--from", file, "--yes")
    assert (again["set"], again["saved"]) == ([], False)
    assert "Nothing to save" in shell("brand", "map", "acme", "--from", file)


def test_a_script_saves_a_mapping_without_being_asked(shell):
    file = shell.file("feed.csv", STRANGE, "Ref;Omschrijving;Adviesprijs;Streepjes\n")
    assert shell.json("brand", "map", "acme", "--from", file, "--yes")["saved"] is True
    assert shell.json("brand", "show", "acme")["settings"]["columns"]["sku"] == "Ref"
    shell("brand", "map", "nobody", "--from", file, ends=2)
    assert "no such file" in shell("brand", "map", "acme", "--from", file + "x", ends=2)
    assert "FILE_EMPTY" in shell("brand", "map", "acme", "--from", shell.file("none.csv", [], ""), ends=2)


def test_tokens_are_shown_once_and_revoked(shell):
    for wrong in ("", " ", "a\nb", "x" * 65):
        assert "1 to 64" in shell("token", "add", wrong, ends=2)
    assert "over already" in shell("token", "add", "ops", "--expires", "2020-01-01", ends=2)
    made = shell.json("token", "add", "ops", "--read-only")
    assert set(made) == {"name", "token", "brand", "expires_at"}
    assert made["token"] not in shell("token", "list")
    shell("token", "remove", "ops")
    assert shell.json("token", "list") == {"tokens": []}


@pytest.mark.parametrize(
    ("arguments", "ends", "said"),
    [
        (("ingest", "--brand", "acmee", "/dev/null/x"), 2, "no such file"),
        (("brand", "show", "acmee"), 2, "acme"),
        (("brand", "add", "Acme"), 2, "small letters"),
        (("brand", "add", "acme"), 1, "acme"),
        (("brand", "key", "add", "acme", "/nowhere"), 2, "/nowhere"),
        (("upload", "99"), 2, "99"),
        (("approve", "99"), 2, "99"),
        (("uploads", "--since", "yesterday"), 2, "is no date"),
        (("uploads", "--brand", ""), 2, "no brand ''"),
        (("run", "--only", "ftp"), 2, "sftp,worker,web"),
        (("frobnicate",), 2, "invalid choice"),
        (("catalog", "--brand", "acme\udcff"), 2, "is not UTF-8"),
        (("brand", "set", "acme", "columns.sku=Art\udcff"), 2, "is not UTF-8"),
        (("--config", "/nowhere.toml", "uploads"), 78, "/nowhere.toml"),
    ],
)
def test_an_error_is_one_clear_line(shell, arguments, ends, said):
    text = shell(*arguments, ends=ends)
    assert said in text
    assert "Traceback" not in text


def test_a_file_whose_name_is_not_utf8_is_not_taken_and_told_so(shell):
    name = os.fsdecode(b"caf\xe9.csv")
    shell.file("good.csv", [product(1)])
    (shell.folder / "good.csv").rename(shell.folder / name)
    said = shell.json("ingest", "--brand", "acme", str(shell.folder / name), ends=2)
    assert "its name is not UTF-8; rename it" in said["error"]
    assert shell.json("uploads")["uploads"] == []
    folder = shell.folder / os.fsdecode(b"d\xe9")  # only the file's own name is told to anybody
    folder.mkdir()
    (shell.folder / name).rename(folder / "good.csv")
    assert shell.ingest(str(folder / "good.csv"))["state"] == "published"


def test_check_says_what_is_wrong_and_where(shell, tmp_path):
    assert all(check["ok"] for check in shell.json("check")["checks"])
    rules = tmp_path / "catalog.toml"
    rules.write_text('key = ["skuu"]\n')
    shell.monkeypatch.setenv("SFTP_GATEWAY_CATALOG__RULES", str(rules))
    wrong = [check for check in shell.json("check", ends=78)["checks"] if not check["ok"]]
    assert [check["what"] for check in wrong] == ["catalog rules"]
    assert str(rules) in wrong[0]["says"]


def test_a_guard_that_no_file_could_reach_is_a_mistake_in_the_configuration(shell):
    """20 for 20 % switched the removal guard off for every brand, and nobody was told."""
    products = shell.file("all.csv", [product(n) for n in range(200)])
    shell.ingest(products)
    shell.monkeypatch.setenv("SFTP_GATEWAY_GUARDS__REMOVAL_SHARE", "20")
    assert "give a share from 0 to 1" in shell("check", ends=78)
    assert "GUARDS__REMOVAL_SHARE: 20.0: give a share" in shell.ingest(products, ends=78)["error"]
    shell.monkeypatch.setenv("SFTP_GATEWAY_GUARDS__REMOVAL_SHARE", "0.2")
    few = shell.ingest(shell.file("few.csv", [product(n) for n in range(3)]))
    assert (few["changes"]["removed"], few["changes"]["withheld"]) == (0, 197)


@pytest.mark.parametrize("verb", [("run",), ("uploads",)])
@pytest.mark.parametrize("below", ["", "/root"])
def test_a_root_that_cannot_be_made_is_a_mistake_in_the_configuration(shell, tmp_path, verb, below):
    """It was an unexpected FileExistsError, a fault of ours."""
    (tmp_path / "file").touch()
    shell.monkeypatch.setenv("SFTP_GATEWAY_STORAGE__ROOT", f"{tmp_path}/file{below}")
    said = shell(*verb, ends=78)
    assert said.startswith(f"sftp-gateway: storage.root: {tmp_path}/file{below} cannot be made (")


@pytest.mark.parametrize(
    ("setting", "value", "what"),
    [
        ("STORE__URL", "postgresql+psycopg://gateway@127.0.0.1:1/gateway", "store"),
        ("LIMITS__DISK_FLOOR_BYTES", "900 TiB", "disk"),
    ],
)
def test_check_tells_what_comes_back_by_itself_from_a_mistake(shell, setting, value, what):
    shell.monkeypatch.setenv(f"SFTP_GATEWAY_{setting}", value)
    wrong = [check["what"] for check in shell.json("check", ends=69)["checks"] if not check["ok"]]
    assert wrong == [what]
    shell.monkeypatch.setenv("SFTP_GATEWAY_CATALOG__RULES", str(shell.folder / "nothing.toml"))
    wrong = [check["what"] for check in shell.json("check", ends=78)["checks"] if not check["ok"]]
    assert wrong == ["catalog rules", what]


def test_the_shell_takes_no_file_below_the_floor_of_the_disk_either(shell):
    file = shell.file("one.csv", [product(1)])
    shell.monkeypatch.setenv("SFTP_GATEWAY_LIMITS__DISK_FLOOR_BYTES", "900 TiB")
    assert "limits.disk_floor_bytes" in shell("ingest", "--brand", "acme", file, ends=69)
    assert shell.json("uploads")["uploads"] == []


def test_inspect_explains_a_file_and_makes_it_clean(shell, tmp_path):
    (tmp_path / "messy.csv").write_bytes(
        'Products of today;;\r\nsku;name;msrp\r\nA-1;"5"" pipe; long";1,50\r\nA-2;Café;2,00\r\n'.encode("cp1252")
    )
    seen = shell.json("inspect", str(tmp_path / "messy.csv"))["files"][0]
    assert (seen["format"], seen["delimiter"], seen["headers"]) == ("csv", ";", ["sku", "name", "msrp"])
    clean = shell("inspect", "--csv", str(tmp_path / "messy.csv"))
    assert list(csv.reader(io.StringIO(clean))) == [
        ["sku", "name", "msrp"],
        ["A-1", '5" pipe; long', "1,50"],
        ["A-2", "Café", "2,00"],
    ]
    assert seen["mapping"] == {"sku": ["sku"], "name": ["name"], "msrp": ["msrp"]}
    shell("inspect", "--csv-dir", str(tmp_path / "clean"), str(tmp_path / "messy.csv"))
    assert (tmp_path / "clean" / "messy.csv").read_bytes().decode() == clean


def test_a_place_where_nothing_can_be_written_is_the_persons_mistake(shell, tmp_path):
    file = shell.file("feed.csv", [product(n) for n in range(3)])
    shell.ingest(file)
    catalog = ("catalog", "--brand", "acme", "--output")
    for wrong in ("/nonexistent/x.csv", str(tmp_path), f"{file}/x.csv"):
        assert f"sftp-gateway: {wrong}: " in shell(*catalog, wrong, ends=2)
        assert shell.json(*catalog, wrong, ends=2)["exit"] == 2
    assert "No space left" in shell(*catalog, "/dev/full", ends=69)
    assert f"sftp-gateway: {file}: " in shell("inspect", "--csv-dir", file, file, ends=2)
    assert f"sftp-gateway: {file}/x: " in shell("inspect", "--csv-dir", f"{file}/x", file, ends=2)
    (tmp_path / "clean" / "feed.csv").mkdir(parents=True)
    assert "feed.csv: Is a directory" in shell("inspect", "--csv-dir", str(tmp_path / "clean"), file, ends=2)
    assert len(list((tmp_path / "clean").iterdir())) == 1


def test_inspect_writes_no_clean_copy_over_the_file_it_reads(shell, tmp_path):
    """`--csv-dir .` emptied the file before it was read."""
    sent = "sku;name\nA-1;Chair\n"
    (tmp_path / "feed.csv").write_text(sent)
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "feed.csv").symlink_to(tmp_path / "feed.csv")
    (tmp_path / "other.csv").write_text(sent)
    for folder in (tmp_path, tmp_path / "clean"):
        said = shell(
            "inspect", "--csv-dir", str(folder), str(tmp_path / "other.csv"), str(tmp_path / "feed.csv"), ends=2
        )
        assert f"{folder}/" in said and "give another folder" in said
        assert (tmp_path / "feed.csv").read_text() == (tmp_path / "other.csv").read_text() == sent
    assert [path.name for path in (tmp_path / "clean").iterdir()] == ["feed.csv"]


def test_a_file_that_cannot_be_read_leaves_the_clean_copy_of_before(shell, tmp_path):
    (tmp_path / "feed.csv").write_text("sku;name\nA-1;Chair\n")
    (tmp_path / "none.csv").write_text("")
    clean = tmp_path / "clean"
    shell("inspect", "--csv-dir", str(clean), str(tmp_path / "feed.csv"))
    before = (clean / "feed.csv").read_bytes()
    mode = (clean / "feed.csv").stat().st_mode
    (tmp_path / "plain").write_text("")
    assert mode == (tmp_path / "plain").stat().st_mode, "as any file that a program of this person makes"
    (tmp_path / "feed.csv").write_text("")
    said = shell("inspect", "--csv-dir", str(clean), str(tmp_path / "feed.csv"), str(tmp_path / "none.csv"))
    assert said.count("FILE_EMPTY") == 2
    assert (clean / "feed.csv").read_bytes() == before
    assert [path.name for path in clean.iterdir()] == ["feed.csv"]


def test_inspect_writes_lists_as_an_upload_reads_them_and_says_what_is_only_unfinished(shell, tmp_path):
    (tmp_path / "tags.json").write_text('[{"sku": "A", "tags": ["Home, Garden", "Sale"]}]')
    clean = shell("inspect", "--csv", str(tmp_path / "tags.json"))
    assert list(csv.reader(io.StringIO(clean))) == [["sku", "tags"], ["A", '["Home, Garden", "Sale"]']]
    (tmp_path / "short.csv").write_text("sku,name,msrp\nA,Lamp,1.50\nB,Chair")
    said = shell("inspect", str(tmp_path / "short.csv"))
    assert "over SFTP it would stay unfinished: FILE_INCOMPLETE" in said
    assert "would be refused" not in said


def test_inspect_says_of_a_file_that_cannot_be_read_only_that(shell, tmp_path):
    (tmp_path / "feed.xml").write_text('<?xml version="1.0"?><rss><item/></rss>')
    said = shell("inspect", str(tmp_path / "feed.xml"))
    assert said.count("would be refused") == 1, said
    assert "FILE_FORMAT" in said
    assert shell.json("inspect", str(tmp_path / "feed.xml"))["files"][0]["mapping_problem"] == ""


def test_a_file_that_is_no_key_is_told_as_that(shell, tmp_path):
    shell("brand", "add", "keyed")
    for file, why in (("none", "no such file"), ("binary", "this is no public key"), ("text", "not a public SSH key")):
        path = tmp_path / file
        if file != "none":
            path.write_bytes(b"\xe4\xff" if file == "binary" else b"sku;name")
        said = shell("brand", "key", "add", "keyed", str(path), ends=2)
        assert f"{path}: " in said and why in said
        assert "codec" not in said
        assert "Errno" not in said


def test_inspect_shows_what_the_other_columns_are_taken_for_where_a_required_one_is_missing(shell, tmp_path):
    (tmp_path / "feed.csv").write_text(
        "vendorSku,title,variation:Fit,Option1 Name,Option1 Value,Hint\nA-1,Chair,loose,Color,red,x\n"
    )
    seen = shell.json("inspect", str(tmp_path / "feed.csv"))["files"][0]
    assert seen["mapping_problem"].startswith("FILE_HEADER_MISSING")
    assert seen["mapping"] == {
        "sku": ["vendorSku"],
        "name": ["title"],
        "variation": ["variation:Fit", "Option1 Value", "Option1 Name"],
    }
    lines = shell("inspect", str(tmp_path / "feed.csv")).splitlines()
    assert [line.split()[0] for line in lines if "(not used)" in line] == ["Hint"]


def test_a_damaged_database_is_named_with_what_to_do(shell):
    (shell.folder / "root" / "gateway.db").write_bytes(b"junk" * 1024)
    done = subprocess.run([*GATEWAY, "uploads", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 69
    assert "restore it from a backup: gateway.db in storage.root" in json.loads(done.stderr)["error"]


def test_a_verb_run_as_root_becomes_the_owner_of_the_root(shell):
    if os.geteuid() != 0:
        pytest.skip("only root can change its user")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        Path(name).chmod(0o755)
        root = Path(name) / "root"
        shell.monkeypatch.setenv("SFTP_GATEWAY_STORAGE__ROOT", str(root))
        shell("brand", "add", "acme")
        subprocess.run(["chown", "-R", "nobody:nogroup", str(root)], check=True)
        subprocess.run([*GATEWAY, "brand", "disable", "acme"], check=True, stdout=subprocess.DEVNULL)
        assert {path.owner() for path in [root, *root.rglob("*")]} == {"nobody"}


@contextlib.contextmanager
def nobodys_gateway(shell):
    """Give a folder in which `root` is storage.root and nobody's; root alone may read what else is made there."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        Path(name).chmod(0o755)
        shell.monkeypatch.setenv("SFTP_GATEWAY_STORAGE__ROOT", f"{name}/root")
        shell("brand", "add", "acme")
        shell.ingest(shell.file("one.csv", [product(1)]))
        subprocess.run(["chown", "-R", "nobody", f"{name}/root"], check=True)
        yield Path(name)


def test_root_is_told_who_may_not_read_or_write_its_file_and_not_to_be_root(shell):
    if os.geteuid() != 0:
        pytest.skip("only root can change its user")
    with nobodys_gateway(shell) as folder:
        mine = folder / "mine.csv"
        mine.write_text(HEADER + product(1) + "\n")
        uid = (folder / "root").stat().st_uid

        def told(*arguments):
            done = subprocess.run([*GATEWAY, *arguments], capture_output=True, text=True, check=False)
            return done.returncode, done.stderr

        mine.chmod(0o600)
        why = "(root goes on as the owner of storage.root)"
        for verb in (("ingest", "--brand", "acme"), ("brand", "map", "acme", "--from"), ("inspect", "--brand", "acme")):
            assert told(*verb, str(mine)) == (77, f"sftp-gateway: {mine}: uid {uid} may not read it {why}\n")
        out = ("catalog", "--brand", "acme", "--output", str(mine))
        assert told(*out) == (77, f"sftp-gateway: {mine}: uid {uid} may not write it {why}\n")
        assert mine.read_text() == HEADER + product(1) + "\n"


def test_check_as_root_looks_as_the_owner_of_the_root_whom_the_daemon_is_run_as(shell):
    if os.geteuid() != 0:
        pytest.skip("only root can change its user")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        Path(name).chmod(0o755)
        (root, config) = (Path(name) / "root", Path(name) / "gateway.toml")
        config.write_text(f"[storage]\nroot = '{root}'\n")
        config.chmod(0o600)  # root reads it and goes on as the owner, as `run` does
        hostkeys.load([], root / "keys")
        root.chmod(0o700)
        shutil.chown(root, "nobody")
        shell.monkeypatch.delenv("SFTP_GATEWAY_STORAGE__ROOT")
        check = [*GATEWAY, "check", "--config", str(config), "--json"]
        done = subprocess.run(check, capture_output=True, text=True, check=False)
        wrong = [one for one in json.loads(done.stdout)["checks"] if not one["ok"]]
        assert (done.returncode, [one["what"] for one in wrong]) == (78, ["host keys"])
        subprocess.run(["chown", "-R", "nobody", str(root)], check=True)
        assert subprocess.run(check, capture_output=True, check=False).returncode == 0


def test_the_installed_script_and_the_module_are_the_same(shell):
    script = Path(sys.executable).with_name("sftp-gateway")
    for command in ([str(script)], GATEWAY):
        done = subprocess.run([*command, "brand", "list", "--json"], capture_output=True, text=True, check=True)
        assert [brand["brand"] for brand in json.loads(done.stdout)["brands"]] == ["acme"]


def test_an_unexpected_fault_is_one_line_too(shell, tmp_path):
    shell.monkeypatch.delenv("SFTP_GATEWAY_TRACEBACK")
    (tmp_path / "root" / "gateway.db").write_bytes(b"no database at all" * 100)
    (tmp_path / "root" / "gateway.db-wal").unlink(missing_ok=True)
    text = shell("uploads", ends=69)
    assert text.count("\n") == 1


def test_a_reader_that_leaves_early_ends_a_verb_quietly(shell):
    shell.ingest(
        shell.file("big.csv", [f"A-{n},Chair {n},10.00,Acme,4.50,,https://x.example/1.jpg" for n in range(9000)])
    )
    verb = subprocess.Popen(
        [*GATEWAY, "catalog", "--brand", "acme"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert verb.stdout.readline().startswith("sku,")
    verb.stdout.close()
    assert (verb.stderr.read(), verb.wait(timeout=30)) == ("", 141)
    verb.stderr.close()


@pytest.mark.parametrize("verb", [("uploads",), ("catalog", "--brand", "acme")])
def test_a_full_disk_behind_the_output_is_no_fault_of_ours(shell, verb):
    shell.ingest(shell.file("all.csv", [product(n) for n in range(9)]))
    shell.monkeypatch.delenv("SFTP_GATEWAY_TRACEBACK")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*GATEWAY, *verb], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (69, "sftp-gateway: No space left on device\n")


def test_a_verb_ends_before_the_interpreter_is_taken_apart(tmp_path):
    """A thread of Arrow's was met there now and then: "terminate called without an active exception", exit code 134."""
    last = tmp_path / "last.py"
    last.write_text(
        "import atexit, builtins, os, sys, tempfile, threading\n"
        "class Last:\n"
        "    def __del__(self): os.abort()\n"
        "builtins.last = Last()\n"
        "kept = tempfile.TemporaryDirectory(dir=sys.argv.pop(1))\n"
        "def think():\n"
        "    threading.main_thread().join()\n"
        "    print('A,thought', flush=True)\n"
        "threading.Thread(target=think).start()\n"
        "atexit.register(lambda: sys.stdout.write('B,at exit'))\n"
        "from sftp_gateway import cli\n"
        "sys.exit(cli.program())\n"
    )
    (tmp_path / "kept").mkdir()
    (tmp_path / "file.csv").write_text("sku,name\nA-1,Chair\n")
    for file, code, said in (("file.csv", 0, "sku,name\nA-1,Chair\n"), ("none.csv", 2, "")):
        verb = [sys.executable, str(last), str(tmp_path / "kept"), "inspect", "--csv", str(tmp_path / file)]
        done = subprocess.run(verb, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (code, f"{said}A,thought\nB,at exit"), done.stderr
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_verb_works_without_anybody_to_talk_to(shell, tmp_path):
    """It was done, and then told as a fault of ours."""
    for closed in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        command = f"{' '.join(GATEWAY)} brand disable acme {closed}"
        done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), closed
    command = f"{' '.join(GATEWAY)} brand disable nobody >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 2
    command = f"{' '.join(GATEWAY)} brand disable nobody 2>&-"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b""), "a complaint is no result"


def test_a_terminal_that_has_not_every_letter_gets_what_it_has_and_programs_get_all(shell):
    shell.ingest(shell.file("feed.csv", ["A-1,Crème €,10.00,,,,"]))
    shell.ingest(shell.file("more.csv", ["A-1,Crème € 😀,10.00,,,,"]))

    def said(encoding, *arguments):
        environ = os.environ | {"PYTHONIOENCODING": encoding}
        done = subprocess.run([*GATEWAY, *arguments], env=environ, capture_output=True, check=True)
        return done.stdout.decode(encoding)

    for encoding in ("latin-1", "ascii"):
        assert said(encoding, "check").startswith("? configuration: ")
    assert json.loads(said("ascii", "check", "--json"))["ok"] is True
    assert json.loads(said("ascii", "changes", "--brand", "acme", "--json"))["after"] == "Crème € 😀"
    [file] = json.loads(said("latin-1", "inspect", str(shell.folder / "more.csv"), "--json"))["files"]
    assert file["first_rows"][0][1] == "Crème € 😀"


def test_no_verb_lets_a_broken_pipe_kill_its_process(shell):
    """A child process that dies or a connection that drops is an error to tell, not a signal to die of."""
    shell("brand", "list")
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
