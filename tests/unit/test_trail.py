import hashlib
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sftp_gateway.settings import Limits
from sftp_gateway.sftp import trail as trailing
from sftp_gateway.sftp.allowance import Allowance
from sftp_gateway.sftp.draft import Draft
from sftp_gateway.sftp.trail import Trail
from sftp_gateway.sftp.unwritten import Unwritten
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.staging import Staging

AT = datetime(2026, 1, 5, tzinfo=UTC)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def followed():
    """Wait until the thread did all that it was given."""
    trailing._thread.submit(lambda: None).result()


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(trailing, "STEP_BYTES", 8)
    monkeypatch.setattr(trailing, "PIECE_BYTES", 3)


@pytest.fixture
def file(tmp_path):
    descriptor = os.open(tmp_path / "f", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def test_bytes_are_hashed_behind_the_writer(file, small_steps, monkeypatch):
    told = []
    monkeypatch.setattr(trailing.disk, "write_behind", lambda _, start, size: told.append((start, size)))
    trail = Trail(file)
    os.pwrite(file, b"0123456789", 0)
    trail.grow(10)
    followed()
    assert trail._hashed == 10
    os.pwrite(file, b"abc", 10)
    trail.grow(3)
    followed()
    assert trail._hashed == 10  # too little for a step
    assert trail.hexdigest() == sha256(b"0123456789abc")
    assert told == [(0, 10)]


def test_where_much_is_left_there_is_no_hash_unless_it_is_caught_up(file, monkeypatch):
    monkeypatch.setattr(trailing, "MOST_LEFT", 4)
    trail = Trail(file)
    os.pwrite(file, b"01234", 0)
    trail.grow(5)
    assert not trail.hexdigest()
    trail.catch_up()
    assert trail.hexdigest() == sha256(b"01234")


def test_of_a_file_that_is_left_or_shorter_than_told_or_unreadable_there_is_no_hash(file, tmp_path):
    left, short = Trail(file), Trail(file)
    unreadable = Trail(os.open(tmp_path, os.O_RDONLY))
    left.leave()
    for trail in (left, short, unreadable):
        trail.grow(5)
        assert not trail.hexdigest()
    with pytest.raises(OSError, match="directory"):
        unreadable.catch_up()
    os.close(unreadable._descriptor)


def test_the_way_to_the_disk_is_a_hint_that_breaks_nothing(file):
    os.pwrite(file, b"x" * 10_000, 0)
    trailing.disk.write_behind(file, 0, 10_000)
    trailing.disk.write_behind(-1, 0, 10_000)


def opened(folder, *, in_memory=False):
    allowance = Allowance(Limits(quota_bytes=10_000, quota_files=2, max_file_bytes=10_000))
    draft = Draft(
        Entry("d", "acme", "inbox/d", "d", Place.OPEN, 0, AT, AT, AT), folder, allowance, Unwritten(Staging(folder))
    )
    draft.create()
    if not in_memory:
        draft.put_down()
    return draft


@pytest.mark.parametrize("change", [lambda draft: draft.write(2, b"X"), lambda draft: draft.truncate(5)])
def test_what_is_changed_after_it_was_hashed_has_no_hash(tmp_path, small_steps, change):
    draft = opened(tmp_path)
    draft.append(b"0123456789")
    followed()
    change(draft)
    draft.append(b"abcde")
    assert not draft.sha256
    draft.close()


class Forgetting(Draft):
    """A draft whose trail is gone at the second look, as if another handle wrote over its bytes between the two."""

    @property
    def _trail(self):
        trail, self.kept = self.kept, None
        return trail

    @_trail.setter
    def _trail(self, trail):
        self.kept = trail


def test_a_sync_does_not_stumble_over_what_another_handle_changes_meanwhile(tmp_path, monkeypatch):
    draft = opened(tmp_path)
    draft.append(b"0123456789")
    monkeypatch.setattr(draft, "__class__", Forgetting)
    draft.kept = Trail(draft._fd)
    draft.sync()
    draft.close()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.binary(min_size=1, max_size=20)),
        st.tuples(st.just("write"), st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=20))),
        st.tuples(st.just("truncate"), st.integers(0, 40)),
        st.tuples(st.just("put_down"), st.none()),
        st.tuples(st.just("followed"), st.none()),
    ),
    max_size=12,
)


@given(steps, st.booleans())
def test_a_draft_has_the_hash_of_its_bytes_or_none_whatever_was_done_to_it(tmp_path_factory, steps, in_memory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trailing, "STEP_BYTES", 8)
        patch.setattr(trailing, "PIECE_BYTES", 3)
        folder = tmp_path_factory.mktemp("draft")
        draft = opened(folder, in_memory=in_memory)
        in_order = True
        for what, with_ in steps:
            if what == "append":
                draft.append(with_)
            elif what == "write":
                in_order = False
                draft.write(*with_)
            elif what == "truncate":
                in_order = in_order and with_ == draft.size
                draft.truncate(with_)
            elif what == "put_down":
                draft.put_down()
            else:
                followed()
        content = draft.read(0, 10_000)
        assert draft.sha256 in {sha256(content), *([] if in_order else [""])}
        draft.put_down()
        draft.close()
        assert sha256((folder / "d").read_bytes()) == sha256(content)
