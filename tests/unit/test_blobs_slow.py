"""A blob of S3 over a slow line: it takes as long as it takes, and is fetched once."""

import contextlib
import os
import socketserver
import threading
import uuid
from socket import create_connection
from urllib.parse import urlsplit

import pytest

from sftp_gateway import blobs, settings
from sftp_gateway.blobs import Area

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
