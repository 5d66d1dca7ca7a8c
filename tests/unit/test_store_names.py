"""Two rows that want one name: the later one has it, and nothing that somebody may still need is lost."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sftp_gateway.store import brands, drafts
from sftp_gateway.store.drafts import Entry, Place

UNDER_WAY = [Place.OPEN, Place.CLOSED, Place.DROPPED, Place.CLAIMED]
OVER = [Place.DIRECTORY, Place.ACCEPTED, Place.SPENT]


def save(tx, item):
    drafts.save(tx, item)


def save_all(tx, item):
    drafts.save_all(tx, [item, replace(item, id="other", path="inbox/other.csv")])


def rename(tx, item):
    drafts.save(tx, replace(item, path="inbox/before.csv"))
    drafts.rename(tx, item.id, str(item.path))


@pytest.fixture
def entry(store):
    brands.create(store, "acme")
    at = store.now()
    return Entry("earlier", "acme", "inbox/a.csv", "a.csv", Place.CLOSED, 3, at, at, at, sha256="00")


@pytest.mark.parametrize("takes", [save, save_all, rename])
@pytest.mark.parametrize("place", UNDER_WAY + OVER)
def test_what_is_under_way_goes_on_without_its_name_and_the_rest_is_forgotten(store, entry, place, takes):
    due_at = entry.changed_at + timedelta(seconds=9) if place is Place.CLOSED else None
    with store.write() as tx:
        drafts.save(tx, earlier := replace(entry, place=place, due_at=due_at))
        drafts.save(tx, another := replace(entry, id="bystander", path="inbox/b.csv"))
    later = replace(entry, id="later", place=Place.OPEN)
    with store.write() as tx:
        takes(tx, later)
    with store.read() as conn:
        assert drafts.get(conn, "later") == later
        assert drafts.get(conn, "bystander") == another
        found = drafts.get(conn, "earlier")
    if place in OVER:
        assert found is None
    else:
        # Closed and dropped: nothing more can come, so the intake looks at once.
        looked_at = entry.changed_at if place in {Place.CLOSED, Place.DROPPED} else None
        assert found == replace(earlier, path=None, due_at=looked_at)


def test_a_row_that_lost_its_name_takes_it_back_when_it_is_saved_with_it(store, entry):
    """A door that was not told closes its file after the other one: of equal claims the last one counts."""
    later = replace(entry, id="later")
    for item in (entry, later, entry):
        with store.write() as tx:
            drafts.save(tx, item)
    with store.read() as conn:
        assert (drafts.get(conn, "earlier").path, drafts.get(conn, "later").path) == ("inbox/a.csv", None)
