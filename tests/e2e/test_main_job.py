"""The whole gateway as a process, a brand with a real client: what goes in, what comes back, what never gets in."""

import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator

import paramiko
import pytest

from tests import whole

GATEWAY = [sys.executable, "-m", "sftp_gateway"]
HEADER = "sku,name,msrp,brand,cost,gtin,images\n"


def api(gateway, path: str):
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.web_port}{path}", headers={"Authorization": f"Bearer {gateway.token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def connect(gateway) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", gateway.port, gateway.brand, gateway.password, allow_agent=False, look_for_keys=False)
    return client


def wait_until(holds, seconds: float = 45.0):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def gateway(tmp_path_factory) -> Iterator[whole.Whole]:
    """A daemon, an operator's token, and the brand of the running test."""
    with whole.Whole(tmp_path_factory.mktemp("gateway")) as made:
        made.token = made.verb("token", "add", "ops")["token"]
        made.start()
        yield made
        assert made.stop() == 0


@pytest.fixture
def brand(gateway, request) -> Iterator[paramiko.SFTPClient]:
    """A session of a brand of the test's own: its catalog begins empty, in whatever order tests run."""
    gateway.brand = f"b{zlib.crc32(request.node.name.encode()):08x}"
    gateway.password = gateway.verb("brand", "add", gateway.brand)["password"]
    with connect(gateway) as client, client.open_sftp() as sftp:
        yield sftp


def rows(*numbers: int, price: str = "10.00") -> str:
    return "".join(f"A-{n},Product {n},{price},Acme,4.50,,https://img.example.com/{n}.jpg\n" for n in numbers)


def read(sftp: paramiko.SFTPClient, path: str) -> str:
    with sftp.open(path) as file:
        return file.read().decode("utf-8-sig")


def drop(sftp: paramiko.SFTPClient, path: str, text: str) -> dict:
    """Put a file and give its receipt: the one that is new in /receipts."""
    before = set(sftp.listdir("/receipts"))
    sftp.putfo(io.BytesIO(text.encode()), path)
    new = wait_until(lambda: [name for name in sftp.listdir("/receipts") if name not in before])
    return json.loads(read(sftp, f"/receipts/{new[0]}"))


def test_a_brand_drops_its_catalog_and_reads_the_result_in_the_same_place(gateway, brand):
    broken = "A-9,,free,Acme,4.50,4006381333930,\n"
    receipt = drop(brand, "/catalog.csv", HEADER + rows(*range(5)) + broken)
    upload = receipt["upload"]
    assert (receipt["state"], receipt["rows"]["accepted"], receipt["rows"]["rejected"]) == ("published", 5, 1)
    found = set(brand.listdir("/errors"))
    assert {f"catalog.csv.{upload}.errors.csv", f"catalog.csv.{upload}.corrections.csv"} <= found
    errors = list(csv.DictReader(io.StringIO(read(brand, f"/errors/catalog.csv.{upload}.errors.csv"))))
    assert {(e["row"], e["column"], e["code"]) for e in errors if e["severity"] == "error"} == {
        ("7", "name", "FIELD_REQUIRED"), ("7", "msrp", "FIELD_TYPE"), ("7", "gtin", "FIELD_GTIN")
    }  # fmt: skip
    history = wait_until(
        lambda: [r for r in csv.DictReader(io.StringIO(read(brand, "/history.csv"))) if r["upload"] == str(upload)]
    )
    assert history[0]["state"] == "published"
    products = wait_until(lambda: "current.csv" in brand.listdir("/catalog") and read(brand, "/catalog/current.csv"))
    assert len(list(csv.DictReader(io.StringIO(products)))) == 5
    assert "sku" in read(brand, "/template.csv")
    assert "/test" in read(brand, "/README.txt")


def test_the_correction_file_mended_publishes_exactly_the_mended_row(brand):
    before = drop(brand, "/base.csv", HEADER + rows(*range(5)) + "A-7,Seven,free,Acme,4.50,,\n")
    name = f"base.csv.{before['upload']}.corrections.csv"
    mended = read(brand, f"/errors/{name}").replace(",free,", ",7.77,")
    receipt = drop(brand, f"/{name}", mended)
    assert (receipt["mode"], receipt["state"], receipt["changes"]["created"]) == ("correction", "published", 1)
    assert receipt["products"]["after"] == before["products"]["after"] + 1


def test_partial_and_test_folders_do_what_they_say(brand):
    base = drop(brand, "/all.csv", HEADER + rows(*range(6)))
    dry = drop(brand, "/test/all.csv", HEADER + rows(*range(6), price="11.00"))
    assert (dry["state"], dry["would_be"], dry["changes"]["updated"], dry["version"]) == (
        "tested",
        "published",
        6,
        None,
    )
    partial = drop(brand, "/partial/some.csv", "sku,msrp\nA-2,99.00\n")
    assert (partial["changes"]["updated"], partial["changes"]["removed"], partial["products"]["after"]) == (1, 0, 6)
    assert partial["version"] > (base["version"] or 0)


def test_a_file_sent_twice_changes_nothing_and_the_api_says_the_same(gateway, brand):
    text = HEADER + rows(*range(7))
    drop(brand, "/same.csv", text)
    receipt = drop(brand, "/same.csv", text)
    assert (receipt["state"], receipt["version"]) == ("unchanged", None)
    listed = api(gateway, f"/api/v1/brands/{gateway.brand}/uploads?limit=1")["uploads"][0]
    assert (listed["upload"], listed["state"]) == (receipt["upload"], "unchanged")
    assert api(gateway, f"/api/v1/brands/{gateway.brand}/uploads/{receipt['upload']}") == receipt


def test_an_upload_stopped_in_the_middle_is_never_published(gateway, brand):
    complete = drop(brand, "/stop.csv", HEADER + rows(*range(20)))
    file = brand.open("/stop.csv", "w")
    file.write((HEADER + rows(*range(15))[:-30]).encode())
    file.close()  # a clean CLOSE in mid-row, as Ctrl-C in several clients sends it
    wait_until(lambda: api(gateway, f"/api/v1/brands/{gateway.brand}/uploads?state=unfinished")["uploads"])
    dropped = connect(gateway)
    half = dropped.open_sftp().open("/drop.csv", "w")
    half.write((HEADER + rows(*range(3))).encode())
    half.flush()
    dropped.get_transport().sock.close()  # no CLOSE at all
    wait_until(lambda: len(api(gateway, f"/api/v1/brands/{gateway.brand}/uploads?state=unfinished")["uploads"]) == 2)
    assert api(gateway, f"/api/v1/brands/{gateway.brand}/versions")["versions"][0]["version"] == complete["version"]
    resumed = rows(*range(15))[-30:] + rows(*range(15, 20), price="12.00")
    with brand.open("/stop.csv", "a") as more:
        more.write(resumed.encode())
    done = wait_until(
        lambda: [
            u
            for u in api(gateway, f"/api/v1/brands/{gateway.brand}/uploads?state=published")["uploads"]
            if u["upload"] > complete["upload"]
        ]
    )
    assert (done[0]["changes"]["updated"], done[0]["changes"]["removed"]) == (5, 0)


def test_a_short_file_withholds_its_removals_in_sight_of_the_brand(gateway, brand):
    drop(brand, "/big.csv", HEADER + rows(*range(100)))
    receipt = drop(brand, "/big.csv", HEADER + rows(*range(40)))
    assert (receipt["state"], receipt["changes"]["withheld"], receipt["products"]["after"]) == ("published", 60, 100)
    assert f"big.csv.{receipt['upload']}.withheld.csv" in brand.listdir("/errors")
    gateway.verb("approve", str(receipt["upload"]))
    assert api(gateway, f"/api/v1/brands/{gateway.brand}/versions")["versions"][0]["products"] == 40


def test_every_line_of_the_log_is_one_event(gateway, brand):
    drop(brand, '/od"d {"event"} name.csv', HEADER + rows(1))
    with pytest.raises(OSError, match="control character"):
        brand.open('/a\n{"event": "upload.published"}.csv', "w")
    lines = gateway.log.read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert {"gateway.started", "upload.received", "upload.processing", "transfer.closed"} <= set(events)
    assert gateway.password not in gateway.log.read_text()
    assert gateway.token not in gateway.log.read_text()


def test_the_demo_shows_the_main_job_and_ends():
    environ = {k: v for k, v in os.environ.items() if not k.startswith("SFTP_GATEWAY_")}
    done = subprocess.run(
        [*GATEWAY, "demo", "--once"], env=environ, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    for shown in (
        "The receipt is readable",
        "30 of 35 rows are live as version 1",
        "/errors/catalog.csv.1.corrections.csv",
        "The page: http://127.0.0.1:",
    ):
        assert shown in done.stdout


@pytest.mark.parametrize(
    ("end", "after", "code"),
    [
        (signal.SIGINT, "Ctrl-C ends", 0),
        (signal.SIGTERM, "A gateway runs", 130),
        (signal.SIGHUP, "A gateway runs", 130),
    ],
    ids=["at its end", "by SIGTERM in the middle", "by SIGHUP in the middle"],
)
def test_a_demo_that_is_ended_leaves_nothing_behind(tmp_path, end, after, code):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("SFTP_GATEWAY_")}
    environ |= {"PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)}
    with subprocess.Popen([*GATEWAY, "demo"], env=environ, stdout=subprocess.PIPE, text=True) as demo:
        try:
            said = ""
            while after not in said:
                line = demo.stdout.readline()
                assert line, said
                said += line
            assert list(tmp_path.iterdir())
            demo.send_signal(end)
            assert demo.wait(60) == code
        finally:
            demo.kill()
    assert not list(tmp_path.iterdir())
    with socket.socket() as door:
        assert door.connect_ex(("127.0.0.1", int(re.search(r"127\.0\.0\.1:(\d+)", said)[1]))) != 0
