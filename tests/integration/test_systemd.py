"""The units are valid, hardened, and start what the command line really has."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
SERVICES = ("sftp-gateway.service", "sftp-gateway-worker.service")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian package systemd)"
)


@needs_systemd
@pytest.mark.parametrize(("unit", "limit"), [("sftp-gateway.service", 1.5), ("sftp-gateway-worker.service", 0.5)])
def test_exposure_stays_low(unit, limit):
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNITS / unit)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", run.stdout)
    assert found, run.stdout
    assert float(found[1]) <= limit


@needs_systemd
def test_units_verify_without_a_word(tmp_path):
    names = []
    for unit in [*SERVICES, "sftp-gateway.socket"]:
        # By its name alone: systemd looks in /usr/local/bin, too, where pip puts it.
        text, count = re.subn(r"^(Exec\w+=-?)sftp-gateway ", r"\1true ", (UNITS / unit).read_text(), flags=re.MULTILINE)
        assert bool(count) == unit.endswith(".service"), unit
        (tmp_path / unit).write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))
        names.append(str(tmp_path / unit))
    run = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")  # a misspelt key is only said on stderr


@pytest.mark.parametrize("unit", SERVICES)
def test_a_start_that_fails_is_tried_again_for_ever_but_for_a_mistake_in_the_settings(unit):
    """A store that is away for ten seconds while the machine starts must not keep the gateway down for good."""
    text = (UNITS / unit).read_text()
    head, service = text.split("[Service]")
    assert "\nStartLimitIntervalSec=0\n" in head
    assert "\nRestart=on-failure\n" in service
    assert "\nRestartSec=2\n" in service
    prevents = re.findall(r"^RestartPreventExitStatus=(.*)", service, re.MULTILINE)
    assert prevents == ["78"]
    # What is only examined before says what it found: systemd would try a command that fails there again and again.
    assert all(command.startswith("-") for command in re.findall(r"^ExecStartPre=(.*)", service, re.MULTILINE))


def test_both_services_run_as_the_user_that_sysusers_makes():
    made = re.search(r"^u (\S+)", (UNITS / "sysusers.d.conf").read_text(), re.MULTILINE)
    assert made
    for unit in SERVICES:
        assert f"\nUser={made[1]}\n" in (UNITS / unit).read_text()


def test_the_worker_has_no_network():
    text = (UNITS / "sftp-gateway-worker.service").read_text()
    assert "\nPrivateNetwork=yes\n" in text
    assert "\nRestrictAddressFamilies=AF_UNIX\n" in text
