"""A file that comes by HTTP through a whole gateway: sent, worked on, answered, sent once more."""

import csv
import io

import httpx
import pytest

from sftp_gateway import outcome
from sftp_gateway.store import files, tokens, uploads
from sftp_gateway.store.files import Folder
from sftp_gateway.upload import SETTLED
from tests import whole

UPLOADS = "/api/v1/brands/acme/uploads"


@pytest.fixture
def api(gateway):
    gateway.start()
    with gateway.store() as store:
        _, secret = tokens.add(store, "shop")
    base = f"http://127.0.0.1:{gateway.web_port}"
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {secret}"}, verify=False) as client:
        yield client


@pytest.fixture
def send(gateway, api, eventually):
    """Give a function that sends a file and gives its receipt once the worker is done with it."""

    def send(content, name="catalog.csv", **more):
        sent = {"params": {"name": name}, "content": content} | more
        number = api.post(UPLOADS, **sent).json()["upload"]
        with gateway.store() as store:
            eventually(lambda: uploads.get(store, number).state in SETTLED)
        return api.get(f"{UPLOADS}/{number}").json()

    return send


def mended(correction: bytes) -> bytes:
    """Mend a correction file: a price for each product in it."""
    read = csv.DictReader(io.StringIO(correction.decode("utf-8-sig")))
    out = io.StringIO()
    writer = csv.DictWriter(out, read.fieldnames)
    writer.writeheader()
    writer.writerows(row | {"msrp": "10.00"} for row in read)
    return out.getvalue().encode()


def test_a_correction_that_is_sent_again_with_its_key_is_the_one_that_was_published(api, send):
    first = send(whole.catalog(20) + "B-1,Stool,soon\n")
    assert first["rows"]["rejected"] == 1
    [name] = [file["name"] for file in first["files"] if "corrections" in file["name"]]
    fixed, key = mended(api.get(f"{UPLOADS}/{first['upload']}/files/{name}").content), {"Idempotency-Key": "k2"}
    second = send(fixed, name, headers=key)
    assert (second["mode"], second["state"]) == ("correction", "published")
    again = api.post(UPLOADS, params={"name": name}, content=fixed, headers=key)
    assert (again.status_code, again.json()["upload"]) == (200, second["upload"])
    dry = api.post(UPLOADS, params={"name": name, "mode": "test"}, content=fixed, headers=key)
    assert dry.json()["type"].endswith("key-reused")


def history(gateway):
    """Read /history.csv of the brand's home, its lines by upload."""
    with gateway.store() as store:
        listed = files.get(store, "acme", Folder.TOP, "history.csv")
    text = (gateway.root / "results" / listed.blob).read_text(encoding="utf-8")
    return {int(line["upload"]): line for line in csv.DictReader(io.StringIO(text))}


def test_rows_left_out_are_told_though_nothing_changed(send):
    header, *good = whole.catalog(20).splitlines(keepends=True)
    bad = "B-1,Stool,soon\n"
    assert send("".join([header, *good, bad]))["state"] == "published"
    again = send("".join([header, bad, *reversed(good)]))
    assert (again["state"], again["rows"]["rejected"]) == ("unchanged", 1)
    assert outcome.label(again).text == "Nothing changed, 1 row left out"
    assert outcome.sentence(again).endswith("; nothing changed. 1 row needs fixing.")


def test_rows_that_delete_products_are_told_as_that(gateway, send, eventually):
    send(whole.catalog(20))
    gone = send("sku,_op\nA-1,delete\nA-2,delete\n", params={"name": "gone.csv", "mode": "partial"})
    assert (gone["changes"]["deleted"], gone["products"]["after"]) == (2, 18)
    assert outcome.sentence(gone) == "2 products were removed with version 2."
    eventually(lambda: history(gateway).get(gone["upload"], {}).get("state") == "published")
    line = history(gateway)[gone["upload"]]
    assert (line["created"], line["updated"], line["removed"]) == ("0", "0", "2")


@pytest.mark.parametrize(("ending", "sign"), [("tsv", "\t"), ("csv", ",")])
def test_files_of_a_very_long_name_keep_their_extension_and_their_own_bytes(api, send, ending, sign):
    done = send("sku,name,msrp\nA-1,Chair,10\nB-1,Stool,soon\n".replace(",", sign), "k" * 190 + f".{ending}")
    made = {file["name"].split(f".{done['upload']}.")[1]: file["name"] for file in done["files"]}
    read = {kind: api.get(f"{UPLOADS}/{done['upload']}/files/{name}").text for kind, name in made.items()}
    assert read["errors.csv"].startswith("\ufeffupload,row,line,")
    assert read[f"corrections.{ending}"].startswith(f"sku{sign}name{sign}msrp{sign}_row")
    assert {name.split(".")[1] for name in made.values()} == {ending}
