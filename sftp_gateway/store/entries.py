"""The tables in which the front door keeps what it was sent. Used as those of tables.py, which has them too."""

import sqlalchemy as sa

from sftp_gateway.store import columns
from sftp_gateway.store.columns import Id, Json, Moment, metadata

# What a brand has in its writable directories: its own directories, drafts and accepted names. One
# row is one thing through its whole life (spec §2 "Finished"); owned by store/drafts.py.
entry = sa.Table(
    "entry",
    metadata,
    # Random, and the name of the staging file.
    sa.Column("id", sa.Text, primary_key=True),
    columns.brand(),
    # As the view shows it (`inbox/a.csv`); null: lost its name to a later file, still an upload to be.
    sa.Column("path", sa.Text),
    # As the client wrote it, without the leading `/` (`a.csv`).
    sa.Column("sent", sa.Text, nullable=False),
    # directory, open, closed, dropped, claimed, accepted, spent, refused: see drafts.Place.
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("declared_bytes", sa.BigInteger),
    sa.Column("sha256", sa.Text, nullable=False),
    # Set once it left `receiving` for the first time: a resumed draft keeps its upload id.
    sa.Column("upload", Id, sa.ForeignKey("upload.id")),
    # The process that has it open or claims it; after that process died it is dropped or closed.
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("client", Json),
    # Why it is refused, made into an upload's receipt by the intake.
    sa.Column("reason", Json),
    *columns.every(Moment, "modified_at", "opened_at", "changed_at"),
    # When the intake looks at it next; null: never.
    sa.Column("due_at", Moment),
    # When an accepted name leaves the view (intake.visible_after); null: it stays.
    sa.Column("expires_at", Moment),
    sa.UniqueConstraint("brand", "path"),
)
columns.partial("entry_due_at", entry.c.due_at, where=entry.c.due_at.is_not(None))
columns.partial("entry_expires_at", entry.c.expires_at, where=entry.c.expires_at.is_not(None))
columns.partial("entry_of_upload", entry.c.upload, where=entry.c.upload.is_not(None))
sa.Index("entry_sha256", entry.c.sha256)
sa.Index("entry_of_owner", entry.c.owner, entry.c.place)

# Counts the changes of a brand's entries, so that a process notices what another one did to them.
view = sa.Table("view", metadata, columns.brand(primary_key=True), sa.Column("seq", sa.BigInteger, nullable=False))

# How far the store has what a process put into its journal of small closed drafts (sftp/journal.py).
journal = sa.Table(
    "journal",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)

# How brands reach the front door, as the one that began to listen last says; one row (store/frontdoor.py).
door = sa.Table(
    "door",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    # `SHA256:…` of each host key.
    sa.Column("fingerprints", Json, nullable=False),
)
