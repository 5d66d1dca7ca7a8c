"""What grows with the years is not walked through by what runs all day: how SQLite's planner answers it.

PostgreSQL counts its rows and finds these ways by itself; SQLite goes by the shape of a statement alone.
"""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from sftp_gateway.store import brands, dropped, expiry, files, homes, uploads, versions
from tests import sent


@pytest.fixture
def plan(sqlite_store):
    """Tell how all is answered that a function asks."""
    asked = []

    def hear(_conn, _cursor, statement, values, *_):
        asked.append((statement, values))

    def told(do):
        asked.clear()
        do()
        looked = [one for one in asked if one[0].startswith(("SELECT", "UPDATE", "DELETE"))]
        with sqlite_store._reader.connect() as conn:
            return [
                row[3] for one, values in looked for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values)
            ]

    for engine in (sqlite_store._engine, sqlite_store._reader):
        sa.event.listen(engine, "before_cursor_execute", hear)
    brands.create(sqlite_store, "acme")
    return told


def test_a_key_of_a_sender_is_looked_for_among_what_came_lately(sqlite_store, plan):
    found = plan(lambda: uploads.receive_once(sqlite_store, "key", "acme", sent.new(sqlite_store), "token:a"))
    assert "SEARCH upload USING INDEX upload_of_brand (brand=? AND id>?)" in found


def test_sources_past_their_time_are_looked_for_among_those_that_are_kept(sqlite_store, plan):
    found = plan(lambda: expiry.sources(sqlite_store, sqlite_store.now() - timedelta(days=90)))
    assert "SEARCH upload USING INDEX upload_source_kept (received_at<?)" in found


def test_nobody_waits_while_old_jobs_and_mails_are_looked_for(sqlite_store, plan):
    asked = []
    sa.event.listen(sqlite_store._engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    expiry.traces(sqlite_store, sqlite_store.now())
    assert not any("job" in statement or "mail" in statement for statement in asked)


def test_a_list_since_before_all_uploads_reads_no_index_of_all_of_them(sqlite_store, plan):
    sent.receive(sqlite_store)
    long_ago = sqlite_store.now() - timedelta(days=9999)
    found = plan(lambda: uploads.listing(sqlite_store, brand="acme", since=long_ago))
    assert not any("received_at>" in step for step in found)


def test_a_page_since_some_day_reads_no_index_of_all_that_came_after_it(sqlite_store, plan):
    now = sqlite_store.now()
    _old, *new = [sent.receive(sqlite_store, received_at=now - timedelta(days=days)).id for days in (9, 0, 0, 0)]
    since = now - timedelta(days=1)
    found = plan(lambda: uploads.listing(sqlite_store, brand="acme", since=since, limit=2))
    assert not any("received_at>" in step for step in found)
    assert [one.id for one in uploads.listing(sqlite_store, since=since, limit=9)[0]] == new[::-1]


def test_a_file_that_every_home_has_is_looked_for_home_by_home(sqlite_store, plan):
    found = plan(lambda: files.everywhere(sqlite_store, "catalog", "current.csv"))
    assert any("(brand=? AND folder=? AND name=?)" in step for step in found)
    assert "SCAN file" not in found


def test_the_ids_of_a_history_are_read_from_an_index_and_no_upload_is_looked_at(sqlite_store, plan):
    found = plan(lambda: uploads.newest(sqlite_store, "acme", 10_000))
    assert found == ["SEARCH upload USING COVERING INDEX upload_of_brand (brand=?)"]


def test_an_older_version_is_looked_for_by_its_bytes(sqlite_store, plan):
    found = plan(lambda: versions.older_sources(sqlite_store, "acme", "0" * 64))
    assert "SEARCH version USING INDEX version_source (brand=? AND sha256=? AND number<?)" in found


def test_a_dropped_file_is_looked_for_by_its_bytes(sqlite_store, plan):
    def known():
        with sqlite_store.write() as tx:
            dropped.known(tx, "acme", "inbox/catalog.csv", "0" * 64)

    found = plan(known)
    assert any("upload_source (sha256=?)" in step for step in found)
    assert not any("upload_of_brand" in step for step in found)


def test_who_sent_something_last_is_told_by_an_index(sqlite_store, plan):
    found = plan(lambda: homes.dirty(sqlite_store))
    assert "SEARCH upload USING COVERING INDEX upload_of_brand (brand=?)" in found
