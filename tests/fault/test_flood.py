"""Ten thousand guesses and 300 silent sockets at the door of a whole gateway: a brand still gets in."""

import asyncio
import contextlib
import socket
import threading
import time

import asyncssh
import pytest
import ssh2.exceptions
import ssh2.session

from sftp_gateway.sftp import auth
from sftp_gateway.store import brands
from tests import whole

TRIES = 10_000
ATTACKERS = 8
IN_SECONDS = 2.0


class Attack:
    """Guesses passwords from ever new sources: each gets its four tries, then its penalty."""

    def __init__(self, port, tries):
        self.port, self.left, self.made = port, tries, 0
        self._sources = iter(f"127.{a}.{b}.{c}" for a in range(1, 100) for b in range(250) for c in range(1, 250))
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(ATTACKERS)]

    def _run(self):
        while True:
            with self._lock:
                if self.made >= self.left:
                    return
                source = next(self._sources)
            with contextlib.suppress(OSError, ssh2.exceptions.SSH2Error):
                self._guess(source)

    def _guess(self, source):
        with socket.create_connection(("127.0.0.1", self.port), 20, source_address=(source, 0)) as sock:
            session = ssh2.session.Session()
            session.handshake(sock)
            for number in range(4):
                with self._lock:
                    self.made += 1
                with contextlib.suppress(ssh2.exceptions.AuthenticationError):
                    session.userauth_password("acme" if number % 2 else "nobody", f"guess {number}")


async def enter(gateway, **by):
    began = time.monotonic()
    async with (
        asyncssh.connect("127.0.0.1", gateway.port, username="acme", known_hosts=None, config=None, agent_path=None, **by)
        as connection,
        connection.start_sftp_client() as sftp,
    ):  # fmt: skip
        await sftp.listdir("/")
    return time.monotonic() - began


@pytest.mark.full
@pytest.mark.timeout(1200)
async def test_a_brand_is_in_within_two_seconds_under_ten_thousand_guesses(tmp_path):
    asyncio.get_running_loop().set_debug(False)  # the time that is measured is the gateway's
    with whole.Whole(tmp_path) as gateway:
        gateway.add_brand()
        with gateway.store() as store:
            brands.set_password_hash(store, "acme", auth.hash_password("right"))
        gateway.start()
        silent = [
            socket.create_connection(
                ("127.0.0.1", gateway.port), 20, source_address=(f"127.200.0.{number % 30 + 1}", 0)
            )
            for number in range(300)
        ]
        attack = Attack(gateway.port, TRIES)
        for thread in attack.threads:
            thread.start()
        spent, good = [], [{"client_keys": [gateway.key]}, {"client_keys": None, "password": "right"}]
        while any(thread.is_alive() for thread in attack.threads):
            spent.append(await enter(gateway, **good[len(spent) % 2]))
            await asyncio.sleep(0.5)
        for sock in silent:
            sock.close()
        refused = [line for line in gateway.events("login.refused") if line["reason"] == "not_accepted"]
        (tmp_path / "logins").write_text(" ".join(f"{each:.2f}" for each in spent) + f" {len(refused)}")
        assert attack.made >= TRIES
        assert len(refused) > TRIES * 0.9
        assert max(spent) < IN_SECONDS
        assert gateway.stop() == 0
