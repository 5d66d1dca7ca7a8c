"""Every table, once, for SQLite and PostgreSQL. Names are the words of spec §1.

Those of the front door are made in entries.py, and stand here as well.
A new database is made from them; a change needs a revision (`store/migrations`), which a test asks for.
Lock order on PostgreSQL: brand → job → entry → upload → version, withheld, file → view → home.
"""

import sqlalchemy as sa

from sftp_gateway.store import columns
from sftp_gateway.store.columns import Id, Json, Moment, metadata
from sftp_gateway.store.entries import door, entry, journal, view

__all__ = [
    "brand", "brand_key", "deed", "door", "entry", "event", "file", "home", "job", "journal", "mail", "metadata", "penalty", "process",
    "signed_out", "token", "upload", "version", "view", "withheld",
]  # fmt: skip

brand = sa.Table(
    "brand",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("settings", Json, nullable=False),
    sa.Column("password_hash", sa.Text),
    sa.Column("current_version", sa.Integer, nullable=False),
    # Whether the last published file ended with a newline (spec §2): null until one was published.
    sa.Column("ends_with_newline", sa.Boolean),
)

brand_key = sa.Table(
    "brand_key",
    metadata,
    columns.brand(primary_key=True),
    sa.Column("fingerprint", sa.Text, primary_key=True),
    *columns.every(sa.Text, "line", "label"),
    sa.Column("added_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),
)

# Whether the rendered files of a home (history.csv, README.txt …) are behind the truth. A table of
# its own and not a column of brand, so that claiming a job never waits for the brand's row lock.
home = sa.Table(
    "home",
    metadata,
    columns.brand(primary_key=True),
    *columns.every(sa.BigInteger, "seq", "rendered_seq"),
)
columns.partial("home_dirty", home.c.brand, where=home.c.seq != home.c.rendered_seq)

upload = sa.Table(
    "upload",
    metadata,
    sa.Column("id", Id, primary_key=True),
    columns.brand(),
    *columns.every(sa.Text, "mode", "state", "name", "path", "via"),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    # Id of the job made when the sender finished it: the brand's order of arrival.
    sa.Column("arrival", Id),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("base_version", sa.Integer),
    sa.Column("version", sa.Integer),
    sa.Column("source_upload", Id, sa.ForeignKey("upload.id")),
    # False once retention removed the source bytes: nothing to retry or download any more.
    sa.Column("source_kept", sa.Boolean, nullable=False),
    sa.Column("waived", Json),
    sa.Column("client", Json),
    sa.Column("reasons", Json),
    # Last and apart from the receipt: lists read the receipt, and never these pages.
    sa.Column("receipt", Json),
    sa.Column("findings", Json),
    # What a row meant, `full` or `partial`: its corrections mean the same. Behind the findings, as no list asks for it.
    sa.Column("rows", sa.Text),
    sqlite_autoincrement=True,  # an id is never given twice, not even after `erase`
)
sa.Index("upload_of_brand", upload.c.brand, upload.c.id)
sa.Index("upload_of_brand_in_state", upload.c.brand, upload.c.state, upload.c.id)
sa.Index("upload_in_state", upload.c.state, upload.c.id)
sa.Index("upload_received_at", upload.c.received_at, upload.c.id)
sa.Index("upload_source", upload.c.sha256)
columns.partial("upload_source_kept", upload.c.received_at, where=upload.c.source_kept == sa.true())
columns.partial("upload_retried", upload.c.source_upload, where=upload.c.source_upload.is_not(None))

event = sa.Table(
    "event",
    metadata,
    sa.Column("id", Id, primary_key=True),
    columns.brand(),
    sa.Column("upload", Id, sa.ForeignKey("upload.id")),
    sa.Column("at", Moment, nullable=False),
    # `upload.<state>` or another `noun.past_verb`; append-only.
    *columns.every(sa.Text, "event", "by"),
    sa.Column("detail", Json),
)
sa.Index("event_of_upload", event.c.upload, event.c.id)
sa.Index("event_of_brand", event.c.brand, event.c.id)

# What verbs of the command line did. Not in `event`, as tokens and erased brands belong to no brand there is.
deed = sa.Table(
    "deed",
    metadata,
    sa.Column("id", Id, primary_key=True),
    # Whose data `detail` is, so that it goes with the brand; null: nobody's.
    sa.Column("brand", sa.Text),
    sa.Column("at", Moment, nullable=False),
    *columns.every(sa.Text, "event", "by"),
    sa.Column("detail", Json, nullable=False),
    # When a process took it to log it; null: none did yet.
    sa.Column("told_at", Moment),
)
columns.partial("deed_untold", deed.c.id, where=deed.c.told_at.is_(None))

# The queue: only a brand's head is `queued` or `running`, the
# rest are `waiting`; finishing the head promotes the next.
job = sa.Table(
    "job",
    metadata,
    sa.Column("id", Id, primary_key=True),
    columns.brand(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("upload", Id, sa.ForeignKey("upload.id")),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("args", Json),
    sa.Column("place", sa.Text, nullable=False),
    # attempt: starts; failures: times handed back with an error; takeovers: owners that died.
    *columns.every(sa.Integer, "attempt", "failures", "takeovers", "token"),
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", Moment),
    *columns.every(Moment, "queued_at", "run_at"),
    sa.Column("error", sa.Text),
    sa.Column("result", Json),
    # How far a running job is: {"stage", "share" 0..1}; goes out with the beats of its lease.
    sa.Column("progress", Json),
    sqlite_autoincrement=True,
)
columns.partial("job_one_head", job.c.brand, where=job.c.place.in_(["queued", "running"]), unique=True)
columns.partial("job_queued", job.c.id, where=job.c.place == "queued")
columns.partial("job_waiting", job.c.brand, job.c.id, where=job.c.place == "waiting")
columns.partial("job_running", job.c.lease_until, where=job.c.place == "running")
sa.Index("job_of_upload", job.c.upload, job.c.id)

version = sa.Table(
    "version",
    metadata,
    columns.brand(primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    # The upload that made it; null for a release and a rollback.
    sa.Column("upload", Id, sa.ForeignKey("upload.id"), unique=True),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("of", sa.Integer),
    # Names in the catalog area; null once retention removed the bytes.
    sa.Column("file", sa.Text),
    sa.Column("file_bytes", sa.BigInteger, nullable=False),
    sa.Column("changes_csv", sa.Text),
    *columns.every(sa.BigInteger, "changes_csv_bytes", "products"),
    *columns.every(Json, "columns", "counts"),
    *columns.every(sa.Text, "rules", "sha256", "mode"),
    sa.Column("created_at", Moment, nullable=False),
)
sa.Index("version_created_at", version.c.created_at)
sa.Index("version_source", version.c.brand, version.c.sha256, version.c.number)
columns.partial("version_with_files", version.c.brand, version.c.number, where=version.c.file.is_not(None))
# Retention asks for every blob whether a row still refers to it.
columns.partial("version_file", version.c.file, where=version.c.file.is_not(None))
columns.partial("version_changes_csv", version.c.changes_csv, where=version.c.changes_csv.is_not(None))

withheld = sa.Table(
    "withheld",
    metadata,
    columns.brand(primary_key=True),
    sa.Column("upload", Id, sa.ForeignKey("upload.id"), nullable=False),
    sa.Column("blob", sa.Text, nullable=False),
    sa.Column("products", sa.BigInteger, nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
)

# What is listed in homes and by the API. folder: errors, receipts, catalog, '' (top), api, internal.
file = sa.Table(
    "file",
    metadata,
    sa.Column("id", Id, primary_key=True),
    columns.brand(),
    sa.Column("upload", Id, sa.ForeignKey("upload.id")),
    *columns.every(sa.Text, "folder", "name", "area", "blob"),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("brand", "folder", "name"),
)
sa.Index("file_of_upload", file.c.upload, file.c.id)
sa.Index("file_created_at", file.c.created_at)
sa.Index("file_blob", file.c.area, file.c.blob)

token = sa.Table(
    "token",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("brand", sa.Text, sa.ForeignKey("brand.name")),
    sa.Column("read_only", sa.Boolean, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),
)

# Sessions of the page that were ended before their time: `mark` is a hash of one, `until` when it would have ended anyhow.
signed_out = sa.Table(
    "signed_out", metadata, sa.Column("mark", sa.Text, primary_key=True), sa.Column("until", Moment, nullable=False)
)

# Live processes of the gateway, on any host.
process = sa.Table(
    "process",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("roles", Json, nullable=False),
    *columns.every(Moment, "started_at", "beat_at"),
)

# Sources that failed to log in, and until when they stay out; shared by every front door.
penalty = sa.Table(
    "penalty",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    # The brand that was tried last, as the client wrote it: none of ours, maybe.
    sa.Column("tried", sa.Text, nullable=False),
    sa.Column("level", sa.Integer, nullable=False),
    sa.Column("until", Moment, nullable=False),
)
sa.Index("penalty_until", penalty.c.until)

# Mails to brands, sent by whichever process has a network. `occasion` makes each one happen once.
mail = sa.Table(
    "mail",
    metadata,
    sa.Column("id", Id, primary_key=True),
    columns.brand(),
    # `upload:17`, or `overdue:17`: nothing came since that upload.
    *columns.every(sa.Text, "occasion", "recipient", "subject", "text"),
    sa.Column("created_at", Moment, nullable=False),
    # When it is tried next; null: sent, or given up (then `error` says why).
    sa.Column("due_at", Moment),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("error", sa.Text),
    sa.UniqueConstraint("brand", "occasion"),
)
columns.partial("mail_due_at", mail.c.due_at, where=mail.c.due_at.is_not(None))
