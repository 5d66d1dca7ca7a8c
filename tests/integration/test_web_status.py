"""Health and metrics over a real socket: what monitors see without a login."""

import asyncio
import contextlib
import errno
import re
import shutil
import socket
import threading

import httpx
import pytest

from sftp_gateway import metrics
from sftp_gateway.daemon import server
from sftp_gateway.errors import NotFound
from sftp_gateway.metrics import METRICS
from sftp_gateway.store import jobs, uploads
from sftp_gateway.upload import State
from sftp_gateway.web import desk
from tests.web_scene import Scene, populate, start


@pytest.fixture
def web(scene):
    # Nothing here is HTTPS, and loading certificates takes 50 ms for each client.
    with scene.serve() as url, httpx.Client(base_url=url, verify=False) as client:
        yield client


def series(web):
    """Metrics as {series: value}; each line must be of the text format."""
    found = {}
    for line in web.get("/metrics").text.splitlines():
        if not line.startswith("#"):
            name, value = re.fullmatch(r"(sftp_gateway_[a-z_]+(?:\{.*\})?) (\S+)", line).groups()
            assert name not in found
            found[name] = float(value)
    return found


LOGIN = b"POST /login HTTP/1.1\r\nHost: {}\r\nOrigin: http://{}\r\nContent-Length: 100\r\n\r\ntoken="


@pytest.mark.parametrize(("sent", "answered"), [
    (b"", b""),
    (b"GET /livez HTTP/1.1\r\nHost: x\r\n", b""),
    (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HT", b"HTTP/1.1 200 OK"),
    (b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1", b"HTTP/1.1 200 OK"),
    (LOGIN, b"HTTP/1.1 408 Request Timeout"),
], ids=["nothing", "half a head", "half a second head", "body of a GET", "half a form"])  # fmt: skip
def test_a_client_that_sends_half_a_request_and_no_more_is_let_go(scene, monkeypatch, sent, answered):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(desk, "FORM_SECONDS", 0.3)
    with scene.serve() as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10) as slow:
        slow.sendall(sent.replace(b"{}", url.removeprefix("http://").encode()))
        got = b""
        while data := slow.recv(65536):  # TimeoutError if it is held for ever
            got += data
    assert got.partition(b"\r\n")[0] == answered


def test_a_client_that_sends_a_head_byte_for_byte_is_let_go(scene, monkeypatch):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    with scene.serve() as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10) as slow:
        slow.settimeout(0.02)  # between two bytes
        slow.sendall(b"GET / HTTP/1.1\r\nX: ")
        with pytest.raises((ConnectionError, StopIteration)):
            for _ in range(500):
                slow.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    next(iter(slow.recv(10)))


def test_a_request_with_two_lengths_is_refused_and_nothing_behind_it_is_answered(scene):
    """A proxy before us may see another request where we see the end of this one."""
    twice = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    with scene.serve() as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10) as asks:
        asks.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\n" + twice)
        got = b""
        while data := asks.recv(65536):
            got += data
    assert got.startswith(b"HTTP/1.1 400 ") and got.count(b"HTTP/1.1 ") == 1


def test_a_client_that_sends_requests_without_end_and_reads_no_answer_is_let_go(scene):
    many = b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 2000
    with (
        scene.serve() as url,
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10) as asks,
        pytest.raises(ConnectionError),
    ):
        for _ in range(1000):  # 100 MB
            asks.sendall(many)


def test_what_strangers_send_fills_no_log(scene, caplog):
    odd = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n\r\n", b"\0\r\n\r\n")
    with scene.serve() as url:
        for sent in odd:
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10) as asks:
                asks.sendall(sent)
                while asks.recv(65536):
                    pass
    assert not caplog.records


LARGE = bytes(16 << 20)
"""More than all buffers between a server and a client that does not read hold."""


@contextlib.contextmanager
def large_answers():
    """Serve something large; gives the server, and events that are set when an answer begins and when it is over."""
    began, over = threading.Event(), threading.Event()

    async def app(_scope, _receive, send):
        try:
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(LARGE))]}
            )
            for start in range(0, len(LARGE), 65536):
                await send({"type": "http.response.body", "body": LARGE[start : start + 65536], "more_body": True})
                began.set()
            await send({"type": "http.response.body"})
        finally:
            over.set()

    serving, thread = start(app)
    try:
        with socket.create_connection(("127.0.0.1", serving.port), 10) as asks:
            asks.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert began.wait(10)
            yield asks, over
    finally:
        serving.stop()
        thread.join(10)


def test_a_client_that_never_reads_its_answer_is_let_go(monkeypatch):
    monkeypatch.setattr(server, "TAKE_SECONDS", 0.2)
    with large_answers() as (_, over):
        assert over.wait(10)


def test_a_client_that_never_reads_the_end_of_its_last_answer_is_let_go(monkeypatch, eventually):
    """The application has done its part, and nobody waits for anything but the connection itself."""
    monkeypatch.setattr(server, "TAKE_SECONDS", 0.3)

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(LARGE))]})
        await send({"type": "http.response.body", "body": LARGE})

    serving, thread = start(app)
    try:
        with socket.create_connection(("127.0.0.1", serving.port), 10) as asks:
            asks.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            eventually(lambda: not len(serving._room.lobby))
    finally:
        serving.stop()
        thread.join(10)


def test_an_answer_may_take_longer_than_a_head(monkeypatch):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    ready = threading.Event()

    async def app(_scope, _receive, send):
        await asyncio.to_thread(ready.wait, 10)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    serving, thread = start(app)
    with socket.create_connection(("127.0.0.1", serving.port), 10) as asks:
        asks.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with socket.create_connection(("127.0.0.1", serving.port), 10) as later:
            assert later.recv(1) == b""  # so long it took already
        ready.set()
        assert asks.recv(65536).startswith(b"HTTP/1.1 200 OK")
    serving.stop()
    thread.join(10)


@contextlib.contextmanager
def own_server(scene, trusted_proxies=()):
    """Serve a scene on a server that nobody else has connections to; gives a function that makes one, open until the end."""
    serving, thread = start(scene.app(), trusted_proxies)
    try:
        with contextlib.ExitStack() as held:

            def connect():
                return held.enter_context(socket.create_connection(("127.0.0.1", serving.port), 10))

            connect.server = serving
            yield connect
    finally:
        serving.stop()
        thread.join(10)


def answered(sock):
    """What comes on a connection over which /livez is asked for, to its end or that of the answer."""
    got = b""
    with contextlib.suppress(ConnectionError):
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        while not got.endswith(b"ok\n") and (data := sock.recv(65536)):
            got += data
    return got


def test_a_source_that_has_many_connections_gets_no_more_and_is_told_why(scene, monkeypatch):
    monkeypatch.setattr(server, "MOST_OF_ONE_SOURCE", 2)
    monkeypatch.setattr(server, "NEAR", ())
    with own_server(scene) as connect:
        one, two = connect(), connect()
        assert b"200 OK" in answered(one) and b"200 OK" in answered(two)
        three = connect()
        got = three.recv(65536)
        assert got.startswith(b"HTTP/1.1 503 ") and b"2 connections" in got and three.recv(1) == b""
        one.close()
        assert b"200 OK" in answered(two)  # the server has heard of what came before
        assert b"200 OK" in answered(connect())
        assert connect.server.snapshot() == {"refused_total": 1}


@pytest.mark.parametrize("trusted", [(), ("127.0.0.1",), ("127.0.0.0/8",), ("*",)])
def test_what_comes_over_a_proxy_is_many_sources(scene, monkeypatch, trusted):
    """This machine is one, too: the endpoint is to be reached over a TLS proxy of the same host."""
    monkeypatch.setattr(server, "MOST_OF_ONE_SOURCE", 2)
    if trusted:
        monkeypatch.setattr(server, "NEAR", ())
    with own_server(scene, trusted) as connect:
        assert all(b"200 OK" in answered(connect()) for _ in range(5))


def test_who_comes_when_all_places_are_taken_gets_that_of_the_oldest(scene, monkeypatch):
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    with own_server(scene) as connect:
        first, *others = connect(), connect(), connect()
        assert all(b"200 OK" in answered(one) for one in (first, *others))
        last = connect()
        assert b"200 OK" in answered(last)
        assert answered(first) == b""
        assert all(b"200 OK" in answered(one) for one in (*others, last))
        assert connect.server.snapshot() == {"refused_total": 1}


def test_ready_names_what_is_not_ready(scene, web):
    assert web.get("/readyz").json() == {"ready": True, "checks": {"sftp": "ok", "store": "ok", "disk": "ok"}}
    scene.ready |= {"sftp": False, "free": 999}
    answer = web.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "checks": {
            "sftp": "the SFTP socket does not listen",
            "store": "ok",
            "disk": "999 bytes free, the floor is 1,000",
        },
    }
    assert series(web)["sftp_gateway_ready"] == 0
    scene.ready |= {"sftp": True, "free": 10**12, "takes": OSError(errno.EROFS, "Read-only file system", "/secret")}
    assert web.get("/readyz").json()["checks"]["disk"] == "it takes no file: Read-only file system"
    scene.ready |= {"takes": OSError(errno.ENOSPC, "No space left on device")}  # of inodes: there are bytes enough
    assert web.get("/readyz").status_code == 503


def test_a_store_that_is_gone_is_named_and_metrics_go_on(sqlite_store, tmp_path):
    scene = Scene(sqlite_store, tmp_path)
    with scene.serve() as url:
        sqlite_store.close()
        (tmp_path / "away").mkdir()
        for part in tmp_path.glob("gateway.db*"):
            shutil.move(part, tmp_path / "away")
        (tmp_path / "gateway.db").mkdir()  # SQLite would make a missing file anew
        answer = httpx.get(f"{url}/readyz", verify=False)
        assert answer.status_code == 503
        assert answer.json()["checks"]["store"] == "the database does not answer", (
            "where it is, and whose login, is in the log"
        )
        assert httpx.get(f"{url}/livez", verify=False).status_code == 200
        assert "sftp_gateway_ready 0" in httpx.get(f"{url}/metrics", verify=False).text
        assert (
            httpx.get(f"{url}/api/v1/status", headers={"Authorization": "Bearer sg_x"}, verify=False).json()["detail"]
            == "the database does not answer"
        )


def test_metrics_count_what_uploads_came_to_since_the_start(scene, web):
    before = series(web)
    counters = {
        name: value for name, value in before.items() if re.search(r"(uploads|rows|bytes)_total|_duration_", name)
    }
    assert not any(counters.values())
    assert before["sftp_gateway_ready"] == 1
    ids = populate(scene)
    found = series(web)
    assert found['sftp_gateway_uploads_total{outcome="published",transport="sftp"}'] == 3
    assert found['sftp_gateway_uploads_total{outcome="held",transport="sftp"}'] == 1
    assert found['sftp_gateway_uploads_total{outcome="failed",transport="sftp"}'] == 1
    assert found['sftp_gateway_rows_total{result="rejected"}'] == 3
    assert found['sftp_gateway_rows_total{result="accepted"}'] == 3980 + 3980 + 4012 + 3991 + 412 + 2790
    assert found['sftp_gateway_stage_duration_seconds_bucket{stage="read",le="0.3"}'] == 7
    assert found['sftp_gateway_stage_duration_seconds_bucket{stage="read",le="+Inf"}'] == 7
    assert found['sftp_gateway_stage_duration_seconds_count{stage="total"}'] == 7
    assert found['sftp_gateway_stage_duration_seconds_count{stage="check"}'] == 0, "no file here got so far"
    assert found['sftp_gateway_stage_duration_seconds_bucket{stage="publish",le="+Inf"}'] == 0
    assert found['sftp_gateway_queue_depth{state="running"}'] == 1
    assert found['sftp_gateway_queue_depth{state="waiting"}'] == 1
    uploads.refuse(scene.store, ids["held"], "ops")
    again = series(web)
    assert again['sftp_gateway_uploads_total{outcome="refused",transport="sftp"}'] == 2
    assert again['sftp_gateway_rows_total{result="accepted"}'] == found['sftp_gateway_rows_total{result="accepted"}']
    assert series(web) == again
    # None is born later: a monitor that saw none at 0 sees no rise to 1.
    assert set(again) - set(before) == {"sftp_gateway_publish_age_seconds"}


def test_a_result_thrown_away_by_any_worker_is_counted_by_every_process(scene, web):
    name = "sftp_gateway_fenced_publishes_total"
    assert series(web)[name] == 0
    scene.receive()
    mine = jobs.claim(scene.store, owner="elsewhere|x|1|1|", lease_seconds=60)
    jobs.lost(scene.store, mine.id, "job 1 was taken over")
    assert series(web)[name] == series(web)[name] == 1
    with pytest.raises(NotFound):
        jobs.lost(scene.store, mine.id + 1, "erased with its brand")
    assert uploads.events(scene.store, mine.upload.id)[-1].event == "job.lease_lost"


def test_buckets_stand_in_their_order(scene, web):
    populate(scene)
    lines = [line for line in web.get("/metrics").text.splitlines() if "_bucket" in line]
    stages = [re.search('stage="(.*?)"', line)[1] for line in lines]
    assert stages == sorted(stages, key=list(dict.fromkeys(stages)).index)
    limits = [float(re.search('le="(.*?)"', line)[1]) for line in lines if 'stage="read"' in line]
    assert len(limits) == 12 and limits == sorted(limits)


def test_no_metric_names_a_brand_and_each_is_described_once(scene, web):
    populate(scene)
    single = (
        "sessions_active",
        "auth_failures_total",
        "lease_takeovers_total",
        "fenced_publishes_total",
        "fsync_errors_total",
        "brands_overdue",
    )
    scene.figures = dict.fromkeys(single, 3)
    scene.figures |= {"connections_refused_total": {"sftp": 1, "web": 0}}
    text = web.get("/metrics").text
    assert "acme" not in text
    assert "bolt" not in text
    assert 'sftp_gateway_connections_refused_total{door="web"} 0' in text
    odd = metrics.printed({("rows_total", (("result", 'pu"b\\l\nic'),)): 1})
    assert 'sftp_gateway_rows_total{result="pu\\"b\\\\l\\nic"} 1' in odd
    for name, (kind, _) in METRICS.items():
        assert text.count(f"# TYPE {name} {kind}\n") == 1, name
        assert text.count(f"# HELP {name} ") == 1
    assert web.get("/metrics").headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_ages_go_by_the_clock_of_the_store(scene, web, clock):
    scene.finish(scene.receive(), State.PUBLISHED)
    scene.receive(b"next")
    clock.jump(90)
    found = series(web)
    assert found["sftp_gateway_publish_age_seconds"] == 90
    assert found["sftp_gateway_queue_oldest_age_seconds"] == 90


def test_nothing_needs_a_login_but_what_should(web):
    for path in ("/livez", "/readyz", "/metrics", "/api/openapi.json", "/static/style.css"):
        assert web.get(path).status_code == 200, path
    assert web.get("/livez").text == "ok\n"
    assert web.get("/static/../app.py").status_code == 404


def test_only_the_status_of_the_gateway_needs_one(scene, web):
    assert web.get("/api/v1/status").status_code == 401
    told = web.get("/api/v1/status", headers={"Authorization": f"Bearer {scene.token()}"}).json()
    assert told["ready"] is True
    assert [brand["name"] for brand in told["brands"]] == ["acme", "bolt"]


def test_a_server_answers_what_is_under_way_and_then_ends(scene, eventually):
    server, thread = start(scene.app())
    arrived, go_on = threading.Event(), threading.Event()

    def body():
        yield b"sku,name\n"
        arrived.set()
        assert go_on.wait(10)
        yield b"A-1,Mug\n"

    url = f"http://127.0.0.1:{server.port}/api/v1/brands/acme/uploads?name=a.csv"
    headers = {"Authorization": f"Bearer {scene.token()}"}
    answers = []
    sender = threading.Thread(
        target=lambda: answers.append(httpx.post(url, content=body(), headers=headers, verify=False))
    )
    sender.start()
    assert arrived.wait(10)
    eventually(lambda: list((scene.root / "staging").rglob("http-*")))
    server.stop()
    eventually(lambda: refuses(server.port))
    go_on.set()
    sender.join()
    thread.join(10)
    assert not thread.is_alive()
    assert answers[0].status_code == 201


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False
