"""Many senders at once, by libssh2: python -m tests.bench.crowd PORT USER KEY INBOX SENDERS UPLOADS BYTES.

A process of its own whose work is C outside the interpreter's lock, so that what it measures is the server, not
the sender. Prints one JSON line: seconds from OPEN to the answer of CLOSE of each upload, and what went wrong.
"""

import json
import socket
import sys
import threading
import time
from dataclasses import dataclass, field

import ssh2.session
import ssh2.sftp

FLAGS = ssh2.sftp.LIBSSH2_FXF_WRITE | ssh2.sftp.LIBSSH2_FXF_CREAT | ssh2.sftp.LIBSSH2_FXF_TRUNC
MODE = 0o100644
STACK_BYTES = 512 * 1024


@dataclass
class Crowd:
    """What all senders share."""

    port: int
    user: str
    key: str
    inbox: str
    senders: int
    uploads: int
    size: int
    waits: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    began: float = 0.0

    def __post_init__(self) -> None:
        self.inside = threading.Barrier(self.senders, self._begin, timeout=60)
        """Where they wait for one another after their logins, which are measured by themselves."""

    def _begin(self) -> None:
        self.began = time.perf_counter()

    def send(self, number: int) -> None:
        """Be one sender: log in, put all files, go."""
        try:
            with socket.create_connection(("127.0.0.1", self.port)) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                session = ssh2.session.Session()
                session.handshake(sock)
                session.userauth_publickey_fromfile(self.user, self.key)
                sftp = session.sftp_init()
                self.inside.wait()
                for upload in range(self.uploads):
                    name = f"crowd-{number}-{upload}.csv"
                    body = name.encode().ljust(self.size, b"x")  # no two files are alike, as no two of a day are
                    began = time.perf_counter()
                    handle = sftp.open(f"{self.inbox}/{name}", FLAGS, MODE)
                    handle.write(body)
                    handle.close()
                    self.waits.append(time.perf_counter() - began)
                session.disconnect()
        except Exception as error:  # noqa: BLE001 - each is counted and told
            self.errors.append(f"{number}: {error!r}")
            self.inside.abort()


def main() -> None:
    """Send all, print what was seen."""
    port, user, key, inbox, senders, uploads, size = sys.argv[1:]
    crowd = Crowd(int(port), user, key, inbox, int(senders), int(uploads), int(size))
    threading.stack_size(STACK_BYTES)
    threads = [threading.Thread(target=crowd.send, args=(number,)) for number in range(crowd.senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump({"seconds": time.perf_counter() - crowd.began, "waits": crowd.waits, "errors": crowd.errors}, sys.stdout)


if __name__ == "__main__":
    main()
