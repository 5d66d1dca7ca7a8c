"""The API over a real socket, on both stores: who may, what it says, what it refuses."""

import contextlib
import itertools
import json
import os
import re
import socket
import threading
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa
import structlog

from sftp_gateway import blobs, receipt, settings
from sftp_gateway.blobs import Area
from sftp_gateway.daemon import server
from sftp_gateway.store import brands, tables, tokens, uploads
from sftp_gateway.upload import Mode, State
from sftp_gateway.web import api as web_api
from sftp_gateway.web import app as web_app
from sftp_gateway.web.problem import KINDS
from tests import sent
from tests.web_scene import populate

UPLOADS = "/api/v1/brands/acme/uploads"


DOCUMENT = json.loads((web_app.HERE / "openapi.json").read_text())
SERVED = [(re.compile(re.sub("{[^/]+}", "[^/]+", path)), verbs) for path, verbs in DOCUMENT["paths"].items()]


@pytest.fixture
def api(scene):
    """A client whose every answer must be as the OpenAPI document says."""
    hooks = {"response": [described]}
    # Nothing here is HTTPS, and loading certificates takes 50 ms for each client.
    with (
        scene.serve() as url,
        httpx.Client(base_url=url, headers=bearer(scene.token()), verify=False, event_hooks=hooks) as client,
    ):
        yield client


def described(answer):
    """See that the OpenAPI document has this answer, with its type and every key; a verb that it has not is none of its own."""
    path, method = answer.request.url.path, answer.request.method.lower()
    verbs = next((verbs for pattern, verbs in SERVED if pattern.fullmatch(path)), {})
    if method not in verbs:
        return
    responses, code = verbs[method]["responses"], str(answer.status_code)
    told = responses.get(code) or responses.get(f"{code[0]}XX")
    assert told is not None, f"{method} {path}: {code} is not described"
    content = resolved(told).get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if answer.status_code not in (206, 304):
        assert kind in content, f"{method} {path}: {kind} is not described"
    if kind.endswith("json") and "content-disposition" not in answer.headers:
        answer.read()
        assert list(faults_of(answer.json(), content[kind]["schema"], path)) == []


@pytest.fixture
def faults(caplog):
    """Give a function that tells what was logged as an error, by us or by the server."""
    with structlog.testing.capture_logs() as lines:
        yield (
            lambda: (
                [line for line in lines if line["log_level"] == "error"]
                + [record for record in caplog.records if record.levelname == "ERROR"]
            )
        )


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def problem(answer, kind):
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["type"] == f"urn:sftp-gateway:problem:{kind}", body
    assert answer.status_code == body["status"] == KINDS[kind][0]
    assert body["instance"] == answer.request.url.path
    return body["detail"]


def pages(api, url):
    """Follow Link headers to the end."""
    while url:
        answer = api.get(url)
        yield answer.json()
        url = answer.links.get("next", {}).get("url")


def staging(scene):
    # os.walk, because a directory may vanish while it is listed.
    walk = os.walk(scene.root / "staging")
    return [name for _, folders, files in walk for name in (*folders, *files) if name.startswith("http-")]


# Who may


def test_without_a_token_nothing_is_said(api):
    for path in (
        "/api/v1/status",
        UPLOADS,
        f"{UPLOADS}/1",
        f"{UPLOADS}/1/files/a.csv",
        "/api/v1/brands/nobody/catalog",
    ):
        answer = httpx.get(api.base_url.join(path), verify=False)
        problem(answer, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    problem(httpx.get(api.base_url.join(UPLOADS), headers=bearer("sg_wrong"), verify=False), "unauthorized")
    problem(
        httpx.get(api.base_url.join(UPLOADS), headers={"Authorization": "Basic b3BzOm9wcw=="}, verify=False),
        "unauthorized",
    )


def test_a_token_of_a_brand_sees_only_that_brand(scene, api):
    other, own = scene.receive(brand="bolt"), scene.receive()
    headers = bearer(scene.token("anna", brand="acme"))
    assert api.get(UPLOADS, headers=headers).status_code == 200
    assert api.get("/api/v1/status", headers=headers).json()["brands"] == [
        {"name": "acme", "enabled": True, "version": None}
    ]
    for path in (
        "/api/v1/brands/bolt/uploads",
        f"/api/v1/brands/bolt/uploads/{other.id}",
        f"{UPLOADS}/{other.id}",
        f"{UPLOADS}/{other.id}/files/catalog.csv.1.errors.csv",
        "/api/v1/brands/bolt/catalog",
        "/api/v1/brands/bolt/versions",
    ):
        problem(api.get(path, headers=headers), "not-found")
    problem(api.post(f"{UPLOADS}/{other.id}/retry", headers=headers), "not-found")
    problem(api.post("/api/v1/brands/bolt/uploads?name=a.csv", content=b"x", headers=headers), "not-found")
    assert api.get(f"{UPLOADS}/{own.id}", headers=headers).json()["upload"] == own.id


def test_an_upload_is_only_found_under_its_own_brand(scene, api):
    problem(api.get(f"{UPLOADS}/{scene.receive(brand='bolt').id}"), "not-found")


def test_a_read_only_token_may_not_post(scene, api):
    headers = bearer(scene.token("viewer", read_only=True))
    item = scene.receive()
    assert api.get(f"{UPLOADS}/{item.id}", headers=headers).status_code == 200
    for path in (f"{UPLOADS}?name=a.csv", *(f"{UPLOADS}/{item.id}/{verb}" for verb in ("approve", "refuse", "retry"))):
        assert "read-only" in problem(api.post(path, content=b"x", headers=headers), "not-allowed")


def test_a_token_ends_when_it_expires_and_when_it_is_removed(scene, api, clock):
    headers = bearer(scene.token("soon", expires_at=clock.at + timedelta(hours=1)))
    assert api.get(UPLOADS, headers=headers).status_code == 200
    clock.jump(3601)
    problem(api.get(UPLOADS, headers=headers), "unauthorized")
    tokens.remove(scene.store, "ops")
    problem(api.get(UPLOADS), "unauthorized")


@pytest.mark.parametrize("path", ["/uploads/{}", UPLOADS + "/{}", "/api/v1/brands/acme/versions/{}/changes"])
def test_a_number_of_thousands_of_digits_is_not_there_and_no_fault_of_ours(api, path, faults):
    for digits in (20, 5000):
        assert api.get(path.format("1" * digits)).status_code == 404
    assert not faults()


def test_nothing_points_to_the_host_that_a_stranger_names(scene, api):
    for number in range(3):
        scene.receive(f"{number}".encode())
    answer = api.get(f"{UPLOADS}?limit=1", headers={"Host": "evil.example"})
    assert answer.links["next"]["url"].startswith("/api/v1/")
    answer = api.get(f"{UPLOADS}/1/", headers={"Host": "evil.example"})
    assert answer.status_code == 404 and "location" not in answer.headers


def test_a_download_can_be_resumed_and_asked_for_only_if_it_changed(scene, api):
    populate(scene)
    for form in ("csv", "jsonl", "parquet"):
        path = f"/api/v1/brands/acme/catalog?format={form}"
        whole = api.get(path)
        etag = whole.headers["etag"]
        assert api.head(path).headers["etag"] == etag
        rest = api.get(path, headers={"Range": "bytes=10-", "If-Range": etag})
        assert (rest.status_code, rest.content) == (206, whole.content[10:]), form
        changed = api.get(path, headers={"Range": "bytes=10-", "If-Range": '"another"'})
        assert (changed.status_code, changed.content) == (200, whole.content), form
        same = api.get(path, headers={"If-None-Match": etag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        assert api.get(path, headers={"If-None-Match": '"another"'}).content == whole.content


CONDITIONS = [
    ("If-None-Match", "*", 304), ("If-None-Match", "W/{}", 304), ("If-None-Match", '"a", {} , "b"', 304),
    ("If-None-Match", '"{bare}0"', 200), ("If-None-Match", "{bare}", 200), ("If-None-Match", '"*"', 200),
    ("If-Match", "*", 200), ("If-Match", '"a",{}', 200), ("If-Match", '"a"', 412), ("If-Match", "W/{}", 412),
    ("If-Match", "nothing", 412),
]  # fmt: skip


def test_conditions_of_a_download_are_those_of_http(scene, api):
    populate(scene)
    path = "/api/v1/brands/acme/catalog?format=csv"
    etag = api.get(path).headers["etag"]
    for header, value, status in CONDITIONS:
        asked = {header: value.format(etag, bare=etag.strip('"'))}
        answer = api.get(path, headers=asked)
        assert answer.status_code == status, asked
        if status == 412:
            assert etag in problem(answer, "precondition")
        assert api.head(path, headers=asked).status_code == status, asked


def test_who_wants_other_bytes_is_told_so_before_who_has_them_already(scene, api):
    populate(scene)
    path = "/api/v1/brands/acme/catalog?format=csv"
    etag = api.get(path).headers["etag"]
    problem(api.get(path, headers={"If-Match": '"other"', "If-None-Match": etag}), "precondition")


@pytest.mark.parametrize(("header", "value", "status"), [
    ("If-Match", '"a"', 412), ("If-None-Match", "*", 412), ("If-Match", "*", 201), ("If-None-Match", '"a"', 201),
])  # fmt: skip
def test_conditions_of_an_upload_are_those_of_http(scene, api, header, value, status):
    """What is sent to is a list: it is there, and no entity tag is its."""
    answer = api.post(f"{UPLOADS}?name=a.csv", content=b"x", headers={header: value})
    assert answer.status_code == status
    assert len(uploads.listing(scene.store)[0]) == (status == 201)
    assert not staging(scene)


def test_an_upload_that_only_trickles_is_ended_and_leaves_nothing(scene, api, monkeypatch, eventually):
    monkeypatch.setattr(web_api, "STALL_SECONDS", 0.5)
    over = threading.Event()

    def body():
        # This client reads no answer before its body has ended or the connection has, which else is kept for 20 s.
        monkeypatch.setattr(server, "HEAD_SECONDS", 0.5)
        while not over.wait(0.02):
            yield b"x"

    try:
        answer = api.post(f"{UPLOADS}?name=a.csv", content=body(), timeout=10)
    finally:
        over.set()
    assert "less than 65,536 bytes" in problem(answer, "stalled")
    eventually(lambda: not staging(scene))


def test_a_slow_upload_that_keeps_its_pace_is_taken(scene, api, monkeypatch):
    monkeypatch.setattr(web_api, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(web_api, "STALL_BYTES", 4)

    def body():
        for _ in range(40):
            threading.Event().wait(0.05)
            yield b"x"

    assert api.post(f"{UPLOADS}?name=a.csv", content=body()).status_code == 201


def test_a_form_is_no_catalog_however_its_type_is_written(api):
    headers = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    problem(api.post(f"{UPLOADS}?name=a.csv", content=b"--x--", headers=headers), "media-type")
    problem(api.post(f"{UPLOADS}?name=a.csv", files={"file": b"x"}), "media-type")


def test_an_upload_that_is_cut_is_no_crash(scene, api, faults, eventually):
    host, port = api.base_url.host, api.base_url.port
    key = api.headers["authorization"]
    with socket.create_connection((host, port)) as wire:
        lines = [f"POST {UPLOADS}?name=a.csv HTTP/1.1", "Host: x", f"Authorization: {key}", "Content-Length: 999"]
        wire.sendall("\r\n".join([*lines, "", "sku\n"]).encode())
        eventually(lambda: staging(scene))
    eventually(lambda: not staging(scene))
    assert api.get("/livez").status_code == 200
    assert uploads.listing(scene.store) == ([], None)
    assert not faults()


def test_who_guesses_tokens_must_wait(api):
    answers = [
        httpx.get(api.base_url.join(UPLOADS), headers=bearer(f"sg_{n}"), verify=False).status_code for n in range(11)
    ]
    assert answers == [401] * 10 + [429]
    answer = httpx.get(api.base_url.join(UPLOADS), headers=bearer("sg_12"), verify=False)
    problem(answer, "slow-down")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert api.get(UPLOADS).status_code == 200, "a right token is kept out by nobody's guesses"


# What it says


def test_the_list_is_read_page_by_page_each_upload_once(scene, api):
    made = [scene.receive(f"{n}".encode()).id for n in range(7)]
    scene.receive(brand="bolt")
    read = list(pages(api, f"{UPLOADS}?limit=3"))
    assert [len(page["uploads"]) for page in read] == [3, 3, 1]
    assert [item["upload"] for page in read for item in page["uploads"]] == made[::-1]
    assert read[-1]["next"] is None
    assert "findings" not in read[0]["uploads"][0]


def test_the_list_is_filtered_by_state_and_time(scene, api, clock):
    ids = populate(scene)
    found = api.get(UPLOADS, params={"state": "published,tested"}).json()["uploads"]
    assert [item["upload"] for item in found] == [ids["withheld"], ids["published"], ids["tested"], ids["first"]]
    recent = api.get(UPLOADS, params={"since": (clock.at - timedelta(hours=3)).isoformat()}).json()["uploads"]
    assert [item["upload"] for item in recent] == [
        ids["received"],
        ids["processing"],
        ids["withheld"],
        ids["published"],
    ]


def test_a_question_that_is_no_question_is_told_so(api):
    for query in (
        "state=lost",
        "since=yesterday",
        "since=0001-01-01T00:00:00%2B14:00",
        "limit=0",
        "limit=501",
        "limit=x",
    ):
        problem(api.get(f"{UPLOADS}?{query}"), "bad-request")
    for cursor in ("-1", "²", "9" * 40, "1.5"):
        problem(api.get(f"{UPLOADS}?cursor={cursor}"), "bad-request")


@pytest.mark.parametrize("asked", ["yesterday", "0001-01-01T00:00:00%2B14:00"])
def test_what_is_no_date_is_told_with_one(api, asked):
    """Python's own words for it were shown."""
    said = api.get(f"{UPLOADS}?since={asked}").json()["detail"]
    assert "since: " in said and said.endswith("is no date; give 2026-01-31 or 2026-01-31T12:00:00Z")


def test_a_state_that_is_never_listed_is_not_among_those_to_ask_for(api):
    assert "receiving" not in api.get(f"{UPLOADS}?state=lost").json()["detail"]
    problem(api.get(f"{UPLOADS}?state=receiving"), "bad-request")


def test_what_is_not_there_is_not_found(api):
    for path in (
        "/api/v1/nothing", "/api/v1/brands/nobody/uploads", "/api/v1/brands/a%00b/uploads", f"{UPLOADS}/999", f"{UPLOADS}/{10**30}",
        "/api/v1/brands/acme/versions/7/changes", f"/api/v1/brands/acme/versions/{2**40}/changes", "/api/v1/brands/acme/catalog",
        "/api/v1/brands/acme/catalog?version=3",
    ):  # fmt: skip
        problem(api.get(path), "not-found")


def test_a_verb_that_a_path_does_not_know_is_told_which_it_knows(api):
    answer = api.delete(f"{UPLOADS}/1")
    problem(answer, "method")
    assert "GET" in answer.headers["allow"]
    assert set(api.put(UPLOADS).headers["allow"].split(", ")) - {"HEAD"} == {"GET", "POST"}


def test_an_upload_is_its_receipt_with_findings(scene, api):
    ids = populate(scene)
    told = api.get(f"{UPLOADS}/{ids['published']}").json()
    assert told["state"] == "published"
    assert told["version"] == 2
    assert [cause["code"] for cause in told["findings"]][:2] == ["FIELD_GTIN", "FIELD_TYPE"]


def test_result_files_are_saved_and_never_shown(scene, api):
    ids = populate(scene)
    answer = api.get(f"{UPLOADS}/{ids['published']}/files/prices-nov.csv.7.errors.csv")
    assert answer.content == b"upload,row\r\n7,12\r\n"
    assert answer.headers["content-disposition"] == 'attachment; filename="prices-nov.csv.7.errors.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert (
        "sandbox" in answer.headers["content-security-policy"]
        or "default-src 'none'" in answer.headers["content-security-policy"]
    )
    gz = api.get(f"{UPLOADS}/{ids['published']}/files/prices-nov.csv.7.errors.jsonl.gz")
    assert (gz.headers["content-type"], gz.content) == ("application/gzip", b"\x1f\x8b")
    problem(api.get(f"{UPLOADS}/{ids['published']}/files/prices-nov.csv.7.accepted.parquet"), "not-found")
    problem(api.get(f"{UPLOADS}/{ids['first']}/files/prices-nov.csv.7.errors.csv"), "not-found")
    problem(api.get(f"{UPLOADS}/{ids['published']}/files/..%2f..%2fgateway.db"), "not-found")


def test_a_result_file_comes_in_parts_under_its_own_name(scene, api):
    item = scene.finish(scene.receive(), State.REFUSED, files={"Katalog Größe “A”.csv.1.errors.csv": b"0123456789"})
    url = f"{UPLOADS}/{item.id}/files/Katalog Größe “A”.csv.1.errors.csv"
    assert api.get(url).content == b"0123456789"
    part = api.get(url, headers={"Range": "bytes=3-5"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"345", "bytes 3-5/10")
    assert part.headers["content-disposition"].startswith("attachment; filename*=utf-8''Katalog%20Gr%C3%B6%C3%9Fe")
    assert api.get(url, headers={"Range": "bytes=20-"}).status_code == 416
    behind = api.get(url, headers={"Range": "bytes=20-"})
    assert problem(behind, "no-such-part").startswith("the file has 10 bytes")
    assert behind.headers["content-range"] == "bytes */10"
    problem(api.get(url, headers={"Range": "bytes=x"}), "bad-request")
    for unit in ("lines=1-2", "lines", "=1-2"):  # RFC 9110 §14.2: a unit that nobody knows is none
        assert api.get(url, headers={"Range": unit}).content == b"0123456789"
    scene.files.delete(Area.RESULTS, f"{item.id}-x/Katalog_Gr__e__A_.csv.1.errors.csv")
    problem(api.get(url), "not-found")


def test_versions_and_their_changes_are_read_in_pages_or_whole(scene, api):
    populate(scene)
    read = list(pages(api, "/api/v1/brands/acme/versions?limit=2"))
    assert [[it["version"] for it in page["versions"]] for page in read] == [[3, 2], [1]]
    url = "/api/v1/brands/acme/versions/2/changes"
    whole = api.get(url).json()
    assert whole["next"] is None
    assert whole["changes"][1] == {
        "op": "updated", "key": "A-1", "column": "name", "before": "Enamel mug, blue", "after": "Enamel mug\nsky blue",
    }  # fmt: skip
    assert (whole["changes"][2]["before"], whole["changes"][2]["after"]) == ("=1+1", "'=2+2")
    for limit in (1, 2, 3):
        parts = [page["changes"] for page in pages(api, f"{url}?limit={limit}")]
        assert list(itertools.chain(*parts)) == whole["changes"]
    assert api.get(f"{url}?format=csv").text.startswith("\ufeffop,key,column,before,after\r\n")
    problem(api.get(f"{url}?format=xml"), "bad-request")
    problem(api.get(f"{url}?cursor=60"), "bad-request")
    assert api.get(f"{url}?cursor=1").status_code == 200


def test_a_catalog_is_exported_and_the_export_is_taken_away(scene, api):
    populate(scene)
    url = "/api/v1/brands/acme/catalog"
    answer = api.get(url)
    assert answer.text == "acme 3 csv\n"
    assert answer.headers["content-disposition"] == 'attachment; filename="acme.v000003.csv"'
    assert api.get(f"{url}?format=jsonl&version=1").text == "acme 1 jsonl\n"
    assert api.get(f"{url}?format=parquet&version=2").content == b"PAR1-catalog"
    problem(api.get(f"{url}?format=xlsx"), "bad-request")
    assert not list((scene.root / "staging").rglob("out.*"))
    with scene.store.write() as tx:  # as retention leaves an old version
        old = sa.update(tables.version).where(tables.version.c.number == 1)
        tx.conn.execute(old.values(file=None, changes_csv=None))
    assert "removed" in problem(api.get(f"{url}?version=1"), "not-found")
    for form in ("", "?format=csv"):
        told = problem(api.get(f"/api/v1/brands/acme/versions/1/changes{form}"), "not-found")
        assert told == "the changes of version 1 were removed after their time"
    assert "json or csv" in problem(api.get("/api/v1/brands/acme/versions/1/changes?format=xml"), "bad-request")


def test_the_openapi_document_has_every_route_and_no_other(api):
    document = api.get("/api/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    described = {(path, verb.upper()) for path, verbs in document["paths"].items() for verb in verbs}
    served = set()
    for route in web_app.ROUTES:
        path = route.path.replace(":int}", "}")
        if path.startswith("/api/v1") or path in ("/livez", "/readyz", "/metrics"):
            served |= {(path, verb) for verb in route.methods - {"HEAD"}}
    assert described == served
    for verbs in document["paths"].values():
        for operation in verbs.values():
            for ref in json.dumps(operation).split('"$ref": "#/')[1:]:
                section, kind, name = ref.split('"')[0].split("/")
                assert name in document[section][kind]


JSON = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "null": type(None),
}


def resolved(part):
    """Give a part of our document that is there or elsewhere in it; with all keys of what it is made of."""
    if "$ref" in part:
        kind, name = part["$ref"].split("/")[-2:]
        part = DOCUMENT["components"][kind][name]
    if "allOf" not in part:
        return part
    made = [resolved(one) for one in part["allOf"]]
    properties = {name: inner for one in made for name, inner in one["properties"].items()}
    return made[0] | {"properties": properties, "required": [name for one in made for name in one["required"]]}


def faults_of(value, schema, place=""):
    """Tell where a JSON value is not what a schema of our document says, in the words that it uses, or is more than that."""
    schema = resolved(schema)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if (kinds and not any(isinstance(value, JSON[kind]) for kind in kinds)) or value not in schema.get("enum", [value]):
        yield f"{place}: {value!r}"
    elif isinstance(value, dict) and "properties" in schema:
        yield from (f"{place}/{name} is missing" for name in schema.get("required", ()) if name not in value)
        yield from (f"{place}/{name} is not described" for name in value if name not in schema["properties"])
        for name, inner in schema["properties"].items():
            yield from faults_of(value[name], inner, f"{place}/{name}") if name in value else ()
    elif isinstance(value, list):
        for item in value:
            yield from faults_of(item, schema.get("items", {}), place)


def test_receipts_are_as_the_openapi_document_says(scene, api):
    """A reason that is no guard's has no figure, and what its sender goes on with is `receiving`."""
    why = [receipt.reason("FILE_EMPTY", "the file has no rows")]
    scene.finish(scene.receive(), State.REFUSED, reasons=why)
    scene.finish(scene.receive(), State.HELD, reasons=[why[0] | {"figure": 0.5, "limit": 0.1}])
    scene.finish(scene.receive(mode=Mode.TEST), State.TESTED, would_be="published")
    with scene.store.write() as tx:
        unfinished = uploads.insert(tx, "acme", sent.new(scene.store), State.UNFINISHED)
        uploads.move(tx, unfinished, State.RECEIVING)
    shown = [api.get(f"{UPLOADS}/{number}").json() for number in range(1, unfinished + 1)]
    assert [told["state"] for told in shown] == ["refused", "held", "tested", "receiving"]


# Sending a file


def test_a_sent_file_is_received_whole_and_the_worker_is_woken(scene, api):
    answer = api.post(f"{UPLOADS}?name=catalog.csv", content=iter([b"sku,name\n", b"A-1,Mug"]))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["state"], told["mode"], told["file"]["name"]) == ("received", "full", "inbox/catalog.csv")
    assert answer.headers["location"] == f"{UPLOADS}/{told['upload']}"
    item = uploads.get(scene.store, told["upload"])
    assert (item.via, item.complete, item.bytes, item.client["token"]) == ("http", True, 16, "ops")
    with scene.files.local(Area.SOURCES, item.sha256) as path:
        assert path.read_bytes() == b"sku,name\nA-1,Mug"
    assert scene.woken
    assert not staging(scene)


def test_the_mode_is_asked_for_or_the_brands_own(scene, api):
    def mode(query):
        return api.post(f"{UPLOADS}?name=a.csv{query}", content=query.encode() or b"x").json()["mode"]

    assert mode("&mode=test") == "test"
    assert mode("&mode=partial") == "partial"
    acme = brands.get(scene.store, "acme").settings
    brands.change_settings(scene.store, "acme", lambda _: type(acme)(mode="partial"))
    assert mode("") == "partial"
    assert mode("&mode=full") == "full"
    problem(api.post(f"{UPLOADS}?name=a.csv&mode=correction", content=b"x"), "bad-request")


def test_a_name_that_is_none_is_refused(api):
    for name in ("", "a%2Fb.csv", "..", "a%0Ab.csv", "x" * 256, "a%00.csv", "a%E2%80%AEvsc.csv", "a%5Cb.csv", "%20",
                 "%E2%80%A8a.csv", "%E3%80%80"):  # fmt: skip
        problem(api.post(f"{UPLOADS}?name={name}", content=b"x"), "bad-request")


def test_a_file_that_is_too_large_is_refused_before_and_while_it_arrives(scene, api):
    scene.room = 1000
    assert "1,001 bytes are announced" in problem(api.post(f"{UPLOADS}?name=a.csv", content=b"x" * 1001), "too-large")
    answer = api.post(f"{UPLOADS}?name=a.csv", content=iter([b"x" * 600, b"x" * 600]))
    assert "more than 1,000" in problem(answer, "too-large")
    assert api.post(f"{UPLOADS}?name=a.csv", content=b"x" * 1000).status_code == 201
    scene.ready["free"] = 1500
    problem(api.post(f"{UPLOADS}?name=b.csv", content=b"x" * 600), "disk-full")
    assert [item.name for item in uploads.listing(scene.store)[0]] == ["a.csv"]
    assert not staging(scene)


def test_bytes_that_are_not_those_announced_are_refused(scene, api):
    wrong, right = "0" * 64, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    url = f"{UPLOADS}?name=a.csv"
    assert right in problem(api.post(url, content=b"x", headers={"X-Checksum-Sha256": wrong}), "digest")
    assert not scene.files.exists(Area.SOURCES, right)
    assert api.post(url, content=b"x", headers={"X-Checksum-Sha256": right.upper()}).status_code == 201


def test_a_file_that_announces_no_size_ends_where_the_disk_is_at_its_floor(scene, api):
    def pieces():
        yield b"sku,name,msrp\n"
        scene.ready["free"] = 1000  # as others write meanwhile
        yield b"A-1,Mug,15\n"

    problem(api.post(f"{UPLOADS}?name=a.csv", content=pieces()), "disk-full")
    assert uploads.listing(scene.store)[0] == []
    assert not staging(scene)


def test_a_disabled_brand_sends_nothing(scene, api):
    brands.set_enabled(scene.store, "acme", False)
    assert "disabled" in problem(api.post(f"{UPLOADS}?name=a.csv", content=b"x"), "not-allowed")


def test_the_same_key_sends_the_same_file_once(scene, api, clock):
    def send(content=b"x", name="a.csv", key="k-1", brand="acme"):
        return api.post(
            f"/api/v1/brands/{brand}/uploads?name={name}", content=content, headers={"Idempotency-Key": key}
        )

    first = send()
    again = send()
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["upload"] == first.json()["upload"]
    problem(send(content=b"y"), "key-reused")
    problem(send(name="b.csv"), "key-reused")
    assert send(key="k-2").status_code == send(brand="bolt").status_code == 201
    problem(send(key="k" * 256), "bad-request")
    clock.jump(25 * 3600)
    assert send().status_code == 201


def test_of_two_at_once_with_one_key_one_is_received(scene, api):
    answers = []

    def send():
        answers.append(api.post(f"{UPLOADS}?name=a.csv", content=b"x", headers={"Idempotency-Key": "k"}).status_code)

    threads = [threading.Thread(target=send) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(answers) == [200] * 7 + [201]
    assert len(uploads.listing(scene.store)[0]) == 1


# Deciding


def test_a_held_upload_is_approved_refused_or_retried(scene, api):
    reasons = [{"code": "price_move", "text": "prices moved"}]
    item = scene.finish(scene.receive(), State.HELD, reasons=reasons)
    answer = api.post(f"{UPLOADS}/{item.id}/approve")
    assert (answer.status_code, answer.json()["state"]) == (200, "received")
    assert uploads.get(scene.store, item.id).waived == ("price_move",)
    assert "received" in problem(api.post(f"{UPLOADS}/{item.id}/approve"), "wrong-state")
    scene.finish(item, State.HELD, reasons=reasons)
    assert api.post(f"{UPLOADS}/{item.id}/refuse").json()["state"] == "refused"
    again = api.post(f"{UPLOADS}/{item.id}/retry")
    assert (again.status_code, again.json()["source_upload"]) == (201, item.id)
    assert again.headers["location"] == f"{UPLOADS}/{again.json()['upload']}"
    assert uploads.events(scene.store, item.id)[-1].by == "token:ops"
    assert len(scene.woken) == 3


@pytest.mark.parametrize(
    ("asked", "blob"),
    [
        (f"{UPLOADS}/1/files/a.csv.1.errors.csv", "results/**/*.errors.csv*"),
        ("/api/v1/brands/acme/versions/1/changes", "catalog/**/*.changes.csv"),
        ("/uploads/1", "catalog/**/*.changes.csv"),
    ],
)
def test_storage_that_does_not_answer_leaves_the_endpoint_to_others(scene, api, monkeypatch, asked, blob):
    monkeypatch.setattr(web_api, "OPENING_SECONDS", 0.2, raising=False)
    scene.finish(scene.receive(), files={"a.csv.1.errors.csv": b"0123456789"})
    [blob] = [path for path in scene.root.glob(blob) if path.is_file()]
    blob.unlink()
    os.mkfifo(blob)  # who opens it waits for the other end

    def asks():
        with contextlib.suppress(httpx.HTTPError):
            api.get(asked, timeout=30)

    threads = [threading.Thread(target=asks) for _ in range(60)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            assert api.get("/api/v1/brands/acme/versions", timeout=10).status_code == 200
    finally:
        while any(thread.is_alive() for thread in threads):
            with contextlib.suppress(OSError):  # nobody waits at this moment
                os.close(os.open(blob, os.O_WRONLY | os.O_NONBLOCK))
            threads[-1].join(0.01)
        os.close(os.open(blob, os.O_RDWR))  # nor does anybody behind a page that was shown without it


@pytest.mark.timeout(120)
def test_files_sent_while_the_bucket_does_not_answer_leave_the_gateway_to_others(scene, api, monkeypatch):
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        scene.files = blobs.open_files(settings.Storage(root=scene.root, files="s3://gateway/a"), patience_seconds=1)
        answers = []

        def sends():
            answers.append(api.post(f"{UPLOADS}?name=a.csv", content=b"x", timeout=100).status_code)

        with scene.serve() as url:
            threads = [threading.Thread(target=sends) for _ in range(40)]
            for thread in threads:
                thread.start()
            for _ in range(5):
                assert httpx.get(f"{url}/readyz", timeout=10).status_code == 200
            assert answers == []
    for thread in threads:
        thread.join()
    assert set(answers) == {503}
