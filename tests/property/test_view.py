"""Whatever happens to names and bytes in whatever order, the view's sums are those of what is in it."""

import contextlib
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from sftp_gateway import errors
from sftp_gateway.settings import Limits
from sftp_gateway.sftp.allowance import Allowance
from sftp_gateway.sftp.draft import Draft
from sftp_gateway.sftp.unwritten import Unwritten
from sftp_gateway.sftp.view import View
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.staging import Staging

AT = datetime(2026, 1, 5, tzinfo=UTC)
QUOTA = 5000
PATHS = st.sampled_from(["inbox/a", "inbox/b", "inbox/d/c", None])


class Home(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.room = tempfile.TemporaryDirectory()
        self.view = View(
            "acme", Allowance(Limits(quota_bytes=QUOTA, quota_files=1000, max_file_bytes=4000)), lambda: AT
        )
        self.view.fill(0, [])
        self.memory = Unwritten(Staging(Path(self.room.name)))
        self.made = 0
        self.known = {}

    def teardown(self):
        for draft in self.view.live.values():
            draft.close()
        self.room.cleanup()

    @rule(path=PATHS)
    def open_new(self, path):
        self.made += 1
        entry = Entry(f"{self.made}", "acme", path, "x", Place.OPEN, 0, AT, AT, AT)
        draft = Draft(entry, Path(self.room.name), self.view.allowance, self.memory)
        draft.create()
        draft.put_down()
        self.view.live[entry.id] = draft
        self._gone(self.view.at(path) if path else None)
        self.view.put(entry)
        self.known[entry.id] = entry

    @rule(pick=st.integers(0, 1000), offset=st.integers(0, 3000), size=st.integers(0, 2000))
    def write(self, pick, offset, size):
        live = sorted(self.view.live)
        if live:
            draft = self.view.live[live[pick % len(live)]]
            before = draft.size
            try:
                draft.write(offset, b"x" * size)
            except errors.Refused:
                assert draft.refusal is not None and draft.size == before
            else:
                assert draft.size == max(before, offset + size if size else before)

    @rule(pick=st.integers(0, 1000), size=st.integers(0, 3000))
    def truncate(self, pick, size):
        live = sorted(self.view.live)
        if live:
            with contextlib.suppress(errors.Refused):
                self.view.live[live[pick % len(live)]].truncate(size)

    @rule(pick=st.integers(0, 1000), size=st.integers(0, 100))
    def release(self, pick, size):
        live = sorted(self.view.live)
        if live:
            id_ = live[pick % len(live)]
            self.view.live[id_].close()
            self.view.release(id_)
            self.known[id_] = replace(self.view.get(id_), place=Place.CLOSED)
            self.view.put(self.known[id_])

    @rule(pick=st.integers(0, 1000), path=PATHS)
    def rename(self, pick, path):
        if self.known:
            id_ = sorted(self.known)[pick % len(self.known)]
            other = self.view.at(path) if path else None
            if other is not None and other.id != id_:
                self._gone(other)
            self.known[id_] = self.view.put(replace(self.view.get(id_), path=path))

    @rule(pick=st.integers(0, 1000))
    def drop(self, pick):
        closed = sorted(set(self.known) - set(self.view.live))
        if closed:
            id_ = closed[pick % len(closed)]
            self.view.learn([], [id_])
            del self.known[id_]

    @rule()
    def reload(self):
        self.view.fill(1, [entry for id_, entry in self.known.items() if id_ not in self.view.live])

    def _gone(self, entry):
        if entry is not None:
            if entry.id in self.view.live:
                self.view.live[entry.id].close()
                self.view.release(entry.id)
            self.view.drop(entry.id)
            del self.known[entry.id]

    @invariant()
    def the_sums_are_right(self):
        sizes = [self.view.size(self.view.get(id_)) for id_ in self.known]
        assert self.view.allowance.used_files == len(sizes)
        assert self.view.allowance.used_bytes == sum(sizes) <= QUOTA

    @invariant()
    def a_name_means_one_thing(self):
        named = [entry.path for id_ in self.known if (entry := self.view.get(id_)).path]
        assert len(named) == len(set(named))
        assert all(self.view.at(path).path == path for path in named)
        assert {entry.path for entry in self.view.below("inbox")} == set(named)


def test_the_sums_of_a_home_are_those_of_what_is_in_it():
    run_state_machine_as_test(
        Home, settings=settings(derandomize=True, max_examples=60, stateful_step_count=40, deadline=None)
    )
