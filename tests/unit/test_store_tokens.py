"""Bearer tokens: shown once, verified, expired, revoked."""

import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from sftp_gateway.errors import NotFound, WrongState
from sftp_gateway.store import brands, tables, tokens, workers


def test_a_token_is_verified_by_its_secret_alone(store, clock):
    brands.create(store, "acme")
    token, secret = tokens.add(store, "ci", brand="acme", read_only=True)
    assert secret.startswith("sg_")
    assert len(secret) == 3 + 43
    assert tokens.verify(store, secret) == token
    assert tokens.verify(store, secret + "x") is None
    assert tokens.verify(store, "") is None
    assert tokens.listing(store) == [token]


def test_the_secret_is_neither_stored_nor_logged(store):
    with capture_logs() as lines:
        _, secret = tokens.add(store, "ops")
    with store.read() as conn:
        stored = [tuple(row) for row in conn.execute(sa.select(tables.token))]
    assert secret not in str(lines) + str(stored)


def test_an_expired_token_opens_nothing(store, clock):
    _, secret = tokens.add(store, "ops", expires_at=clock() + timedelta(seconds=10))
    assert tokens.verify(store, secret) is not None
    clock.jump(10)
    assert tokens.verify(store, secret) is None


def test_a_removed_token_opens_nothing_from_then_on(store):
    _, secret = tokens.add(store, "ops")
    tokens.remove(store, "ops")
    assert tokens.verify(store, secret) is None
    with pytest.raises(NotFound):
        tokens.remove(store, "ops")


def test_names_are_unique_and_brands_must_exist(store):
    tokens.add(store, "ops")
    with pytest.raises(WrongState):
        tokens.add(store, "ops")
    with pytest.raises(NotFound):
        tokens.add(store, "x", brand="nobody")


def test_processes_are_alive_while_they_beat(store, clock):
    me = workers.me()
    workers.register(store, me, host="h", pid=1, roles=["worker", "web"])
    assert [process.id for process in workers.alive(store, "worker", 30)] == [me]
    assert workers.alive(store, "sftp", 30) == []
    clock.jump(40)
    assert workers.alive(store, "worker", 30) == []
    workers.beat(store, me)
    assert workers.alive(store, within_seconds=30)[0].roles == ("worker", "web")
    workers.leave(store, me)
    assert workers.alive(store) == []


def test_a_dead_process_of_this_host_is_known_to_be_dead():
    me = workers.me("1")
    assert not workers.is_gone(me)
    host, space, pid, started, slot = me.split("|")
    assert workers.is_gone(f"{host}|{space}|{pid}|{int(started) + 1}|{slot}"), "the number was given again"
    assert workers.is_gone(f"{host}|{space}|{2**22 + 1}|1|0"), "no such process"
    assert not workers.is_gone(f"{host}|elsewhere|{pid}|1|0"), "of another host nothing is known"
    assert not workers.is_gone("somebody")
    assert not workers.is_gone(None)


def test_where_a_unit_sees_no_other_process_none_counts_as_dead():
    """As systemd has it with ProcSubset=pid: what is not seen there may well live."""
    me = workers.me("0")
    told = "import sys; from sftp_gateway.store import workers; print(workers.is_gone(sys.argv[1]), workers.me('0'))"
    script = 'mount -t proc -o subset=pid proc /proc && exec "$@"'
    unit = ["unshare", "--map-root-user", "--mount", "--pid", "--fork", "sh", "-c", script, "sh"]
    done = subprocess.run([*unit, sys.executable, "-c", told, me], capture_output=True, text=True, check=False)
    gone, unseen = done.stdout.split()
    assert gone == "False"
    assert not workers.is_gone(unseen.replace("|0", "|1"))
    again = subprocess.run([*unit, sys.executable, "-c", told, unseen], capture_output=True, text=True, check=False)
    assert again.stdout.startswith("False"), "its number is another one's in that other unit"
