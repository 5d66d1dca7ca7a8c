"""The few lines between the gateway and systemd, with a real datagram socket and real descriptors."""

import os
import socket
import subprocess
import sys

import pytest

from sftp_gateway.daemon.systemd import Systemd


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    name = f"\0gateway-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(30)
        yield manager, name.replace("\0", "@")


def test_each_stage_is_told(manager):
    manager, address = manager
    systemd = Systemd({"NOTIFY_SOCKET": address})
    systemd.ready()
    systemd.reloading()
    systemd.stopping(25)
    systemd.alive()
    said = [manager.recv(4096).decode() for _ in range(4)]
    assert said[0] == "READY=1"
    assert said[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[2] == "STOPPING=1\nEXTEND_TIMEOUT_USEC=25000000"
    assert said[3] == "WATCHDOG=1"


def test_without_a_manager_nothing_happens():
    systemd = Systemd({})
    systemd.ready()
    Systemd({"NOTIFY_SOCKET": "/nowhere/notify"}).ready()
    assert systemd.watchdog_seconds == 0
    assert systemd.socket("sftp") is None


def test_the_watchdog_of_another_process_is_not_ours():
    assert Systemd({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}).watchdog_seconds == 30
    assert Systemd({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog_seconds == 0


@pytest.mark.parametrize(("names", "wanted"), [("web:sftp", 1), ("sftp", 0)])
def test_a_listening_socket_is_taken_over_by_its_name(names, wanted):
    count = names.count(":") + 1
    program = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
from sftp_gateway.daemon.systemd import Systemd
print(Systemd(os.environ).socket("sftp").getsockname()[1])
print(Systemd({**os.environ, "LISTEN_PID": "1"}).socket("sftp"))
"""
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in listening]

    def hand_over():
        for number, one in enumerate(listening):
            os.dup2(one.fileno(), 100 + number)
        for number in range(count):
            os.dup2(100 + number, 3 + number)

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "LISTEN_FDS": str(count), "LISTEN_FDNAMES": names},
        preexec_fn=hand_over,
        close_fds=False,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(ports[wanted]), "None"]
    for one in listening:
        one.close()
