"""A blob of S3 over a slow line: it takes as long as it takes, and is fetched once; one that only trickles is given up."""

import contextlib
import http.server
import os
import socketserver
import threading
import uuid
from socket import create_connection, create_server
from urllib.parse import urlsplit

import pytest

from sftp_gateway import blobs, settings
from sftp_gateway.blobs import Area
from sftp_gateway.errors import Unavailable

BODY = os.urandom(4 << 20)
SECONDS = 40
"""Longer than the library lets a request last unless it is told to (30 s)."""
PIECE_BYTES = 16 << 10


class Line(socketserver.ThreadingTCPServer):
    """Passes bytes on to a server, and its answers back slowly."""

    daemon_threads, block_on_close = True, False

    def __init__(self, behind):
        super().__init__(("127.0.0.1", 0), Call)
        self.behind, self.fetches, self.closing = behind, [], threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_):
        self.closing.set()
        self.shutdown()
        self.server_close()


class Call(socketserver.BaseRequestHandler):
    def handle(self):
        with create_connection(self.server.behind) as behind, contextlib.suppress(OSError):
            threading.Thread(target=self.ask, args=(behind,), daemon=True).start()
            while (piece := behind.recv(PIECE_BYTES)) and not self.server.closing.wait(
                len(piece) * SECONDS / len(BODY)
            ):
                self.request.sendall(piece)

    def ask(self, behind):
        with contextlib.suppress(OSError):
            while piece := self.request.recv(1 << 20):
                if piece.startswith(b"GET "):
                    self.server.fetches.append(piece)
                behind.sendall(piece)


@pytest.mark.full
@pytest.mark.timeout(240)
def test_a_blob_that_takes_long_to_fetch_is_not_begun_again(s3_server, s3_files, tmp_path, monkeypatch):
    prefix, address = uuid.uuid4().hex, urlsplit(s3_server)
    path = tmp_path / "body"
    path.write_bytes(BODY)
    storage = settings.Storage(root=tmp_path, files=f"s3://gateway/{prefix}")
    blobs.open_files(storage).keep(Area.SOURCES, "ab", path)
    with Line((address.hostname, address.port)) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
        with blobs.open_files(storage).open(Area.SOURCES, "ab") as source:
            assert source.read() == BODY
        assert len(line.fetches) == 1


class Trickle(http.server.BaseHTTPRequestHandler):
    """Answers like S3, a few bytes now and then, and never lets the line be silent for long."""

    protocol_version = "HTTP/1.1"
    ended = threading.Event()

    def do_GET(self):
        self.send_response(200)
        for name, value in (
            ("Content-Length", "1000000"),
            ("ETag", '"a"'),
            ("Last-Modified", "Mon, 05 Jan 2026 12:00:00 GMT"),
        ):
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.ended.wait(0.02):
                self.wfile.write(b"x")

    def log_message(self, *_):
        pass


@pytest.fixture
def trickling(tmp_path, monkeypatch):
    Trickle.ended.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trickle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        yield blobs.open_files(settings.Storage(root=tmp_path, files="s3://gateway/a"))
        Trickle.ended.set()
        server.shutdown()


@pytest.mark.timeout(30)
def test_a_blob_that_only_trickles_is_given_up_and_leaves_nothing(trickling, monkeypatch):
    monkeypatch.setattr("sftp_gateway.blobs.s3.SLOW_SECONDS", 0.5)
    with pytest.raises(Unavailable, match="too slowly"), trickling.open(Area.SOURCES, "ab"):
        pass
    with pytest.raises(Unavailable, match="too slowly"), trickling.local(Area.SOURCES, "ab"):
        pass
    assert [path for path in trickling.staging.rglob("*") if path.is_file() or path.name.startswith("s3-")] == []


@pytest.mark.timeout(60)
def test_a_bucket_that_does_not_answer_keeps_nobody_from_the_disk(tmp_path, monkeypatch):
    with create_server(("127.0.0.1", 0), backlog=100) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        storage = settings.Storage(root=tmp_path, files="s3://gateway/a")
        bucket = blobs.open_files(storage, patience_seconds=8)
        names = [f"{number:02}" for number in range(8)]
        for name in names:
            (tmp_path / name).write_bytes(b"x")

        def keep():
            with contextlib.suppress(Unavailable):
                bucket.keep_all(Area.RESULTS, [(name, tmp_path / name) for name in names])

        keeping = threading.Thread(target=keep)
        keeping.start()
        taken = [silent.accept() for _ in names]
        paths = [tmp_path / f"{name}.draft" for name in names]
        for path in paths:
            path.write_bytes(b"x")
        blobs.side_by_side(blobs.sync_file, paths)
        assert keeping.is_alive()
        for one, _ in taken:
            one.close()
    keeping.join()
