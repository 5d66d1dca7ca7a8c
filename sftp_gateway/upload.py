"""What an upload is, and the one machine it lives in. No I/O, no clock.

An upload is one received file and its life. It is born when a draft (bytes that a session
writes) first leaves `receiving`, and every later change of state is one step of `TRANSITIONS`
below, made by `store.uploads.move` in one transaction with an event row. Nothing else writes
a state. The picture in docs/architecture.md is made from this table (`python -m
sftp_gateway.upload` prints it), so it cannot lie.

Three ideas explain the table:

* `refused` means that the sender must act, `failed` that we must act. Both keep the bytes.
* `processing → received` is our fault (back-off) or a takeover after a crash: the work is done
  again from the start against the version current *then*. Because the publish is one fenced
  transaction, doing it again is safe.
* `held` leaves the queue: the next upload of the brand runs. It is superseded only when a later
  full upload ends published or held.
* `received → superseded` is for brands whose names tell an order (`name_pattern`): a file whose name
  is older than that of the last one of its mode that ended well is not read (`store.order`).
"""

import enum
from datetime import datetime
from typing import Any

from msgspec import Struct


class State(enum.StrEnum):
    """A state of an upload; the value is what receipts and pages show."""

    RECEIVING = "receiving"
    UNFINISHED = "unfinished"
    RECEIVED = "received"
    PROCESSING = "processing"
    PUBLISHED = "published"
    TESTED = "tested"
    UNCHANGED = "unchanged"
    HELD = "held"
    REFUSED = "refused"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class Mode(enum.StrEnum):
    """How the rows of a file are applied."""

    FULL = "full"
    PARTIAL = "partial"
    TEST = "test"
    CORRECTION = "correction"


LISTED = tuple(state for state in State if state is not State.RECEIVING)
"""Those of a history: what is still coming in is in none."""


def read_states(text: str) -> tuple[State, ...]:
    """Read `held,refused`; ValueError for a state that is none."""
    wanted = [part for part in text.split(",") if part]
    for name in wanted:
        if name not in LISTED:
            raise ValueError(f"{name}: no such state; known: {', '.join(LISTED)}")
    return tuple(State(name) for name in wanted)


TRANSITIONS: dict[State, frozenset[State]] = {
    State.RECEIVING: frozenset({State.UNFINISHED, State.RECEIVED}),
    State.UNFINISHED: frozenset({State.RECEIVING, State.REFUSED}),
    State.RECEIVED: frozenset({State.PROCESSING, State.SUPERSEDED}),
    State.PROCESSING: frozenset(
        {
            State.PUBLISHED,
            State.TESTED,
            State.UNCHANGED,
            State.HELD,
            State.REFUSED,
            State.UNFINISHED,
            State.RECEIVED,
            State.FAILED,
        }
    ),
    State.HELD: frozenset({State.RECEIVED, State.REFUSED, State.SUPERSEDED}),
    State.FAILED: frozenset({State.RECEIVED, State.REFUSED}),
    State.PUBLISHED: frozenset(),
    State.TESTED: frozenset(),
    State.UNCHANGED: frozenset(),
    State.REFUSED: frozenset(),
    State.SUPERSEDED: frozenset(),
}

FINAL = frozenset(state for state, targets in TRANSITIONS.items() if not targets)
"""States nothing leads out of."""

SETTLED = FINAL | {State.HELD, State.FAILED, State.UNFINISHED}
"""States in which no worker has anything to do: what `ingest` waits for."""


NAME_OLDER = "name_older"
"""The reason of an upload that was superseded before it was read: by its name it is older than what came before it."""


def may_move(current: State, target: State) -> bool:
    """Whether the table lists this step."""
    return target in TRANSITIONS[current]


class Upload(Struct, frozen=True):
    """One row of the upload history.

    `path` is the path as sent without the leading `/`; `name` its base name. `bytes` and `sha256`
    are those of the source as sent; the source blob is named by the sha256. `complete` says that
    the file is complete by definition (shell, drop folder, HTTP). `receipt` is empty until a
    worker finished with it. Moments are aware UTC.
    """

    id: int
    brand: str
    mode: Mode
    state: State
    name: str
    path: str
    via: str
    complete: bool
    bytes: int
    sha256: str
    received_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    reasons: tuple[dict[str, Any], ...] = ()
    waived: tuple[str, ...] = ()
    base_version: int | None = None
    version: int | None = None
    source_upload: int | None = None
    client: dict[str, Any] | None = None
    receipt: dict[str, Any] | None = None

    @property
    def came_late(self) -> bool:
        """Whether it was superseded unread, as its name is older than that of a file before it."""
        return self.state is State.SUPERSEDED and any(reason["code"] == NAME_OLDER for reason in self.reasons)


def picture() -> str:
    """Draw the table as a Mermaid state diagram (docs/architecture.md carries this text)."""
    lines = ["stateDiagram-v2", "    [*] --> receiving"]
    for state, targets in TRANSITIONS.items():
        lines += [f"    {state} --> {target}" for target in sorted(targets)]
        lines += [f"    {state} --> [*]"] if not targets else []
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(picture(), end="")
