"""What verbs did is kept with the change itself, and taken once, on both stores."""

from concurrent import futures
from datetime import UTC, datetime

import pytest

from sftp_gateway.store import brands, deeds, tokens


@pytest.fixture
def shell(store):
    """The store as a verb of ann opens it."""
    deeds.keep(store, "cli:ann")
    return store


def told(store):
    return [(deed.event, deed.by) for deed in deeds.take(store)]


def test_a_deed_is_taken_once_in_its_order_and_only_if_it_was_done(shell):
    brands.create(shell, "acme", by="cli:ann")
    with pytest.raises(RuntimeError), shell.write() as tx:
        tx.emit("token.added", name="never")
        raise RuntimeError("it was not done")
    tokens.add(shell, "ops", brand="acme", by="cli:ann")
    assert told(shell) == [("brand.added", "cli:ann"), ("token.added", "cli:ann")]
    assert told(shell) == []


def test_a_deed_has_what_its_log_line_has(shell):
    brands.create(shell, "acme", by="cli:ann")
    with shell.write() as tx:
        tx.emit("some.event", brand="acme", at=datetime(2026, 1, 5, tzinfo=UTC), reasons=["a", "b"], none=None)
    [_, deed] = deeds.take(shell)
    assert deed.fields == {"brand": "acme", "at": "2026-01-05 00:00:00+00:00", "reasons": ["a", "b"], "none": None}


def test_a_store_of_the_gateway_itself_keeps_no_deeds(store):
    brands.create(store, "acme")
    assert deeds.take(store) == []


def test_two_processes_tell_each_deed_once_between_them(shell):
    for number in range(50):
        tokens.add(shell, f"token {number}", by="cli:ann")
    with futures.ThreadPoolExecutor(4) as pool:
        found = [deed for some in pool.map(lambda _: deeds.take(shell), range(8)) for deed in some]
    assert sorted(deed.fields["name"] for deed in found) == sorted(f"token {number}" for number in range(50))


def test_erasing_a_brand_takes_its_deeds_along_and_keeps_its_own(shell, files):
    brands.create(shell, "acme", by="cli:ann")
    tokens.add(shell, "ops", brand="acme", by="cli:ann")
    tokens.add(shell, "all", by="cli:ann")
    brands.erase(shell, files, "acme", by="cli:ann")
    brands.create(shell, "acme", by="cli:ann")
    brands.erase(shell, files, "acme", by="cli:ann")
    assert told(shell) == [("token.added", "cli:ann"), ("brand.erased", "cli:ann"), ("brand.erased", "cli:ann")]
