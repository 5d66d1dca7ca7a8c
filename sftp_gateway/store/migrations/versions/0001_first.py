"""The first shape: brands, entries, uploads, jobs, versions, files, tokens, mails."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


# Longer than other files, and in one piece: a revision is frozen as it was written; databases that have it stand on it.
def upgrade() -> None:  # noqa: PLR0915 - one statement a table and index
    """Make every table."""
    op.create_table(
        "brand",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settings", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("current_version", sa.Integer(), nullable=False),
        sa.Column("ends_with_newline", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_brand")),
    )
    op.create_table(
        "process",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("roles", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process")),
    )
    op.create_table(
        "brand_key",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_brand_key_brand")),
        sa.PrimaryKeyConstraint("brand", "fingerprint", name=op.f("pk_brand_key")),
    )
    op.create_table(
        "home",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rendered_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_home_brand")),
        sa.PrimaryKeyConstraint("brand", name=op.f("pk_home")),
    )
    with op.batch_alter_table("home", schema=None) as batch_op:
        batch_op.create_index(
            "home_dirty",
            ["brand"],
            unique=False,
            sqlite_where=sa.text("seq != rendered_seq"),
            postgresql_where=sa.text("seq != rendered_seq"),
        )

    op.create_table(
        "mail",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_mail_brand")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("brand", "occasion", name=op.f("uq_mail_brand_occasion")),
    )
    with op.batch_alter_table("mail", schema=None) as batch_op:
        batch_op.create_index(
            "mail_due_at",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    op.create_table(
        "token",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_token_brand")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_token_hash")),
    )
    op.create_table(
        "upload",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("arrival", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("base_version", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("source_upload", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("source_kept", sa.Boolean(), nullable=False),
        sa.Column("waived", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("client", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reasons", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("receipt", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("findings", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_upload_brand")),
        sa.ForeignKeyConstraint(["source_upload"], ["upload.id"], name=op.f("fk_upload_source_upload")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("upload", schema=None) as batch_op:
        batch_op.create_index("upload_in_state", ["state", "id"], unique=False)
        batch_op.create_index("upload_of_brand", ["brand", "id"], unique=False)
        batch_op.create_index("upload_of_brand_in_state", ["brand", "state", "id"], unique=False)
        batch_op.create_index("upload_received_at", ["received_at", "id"], unique=False)
        batch_op.create_index(
            "upload_retried",
            ["source_upload"],
            unique=False,
            sqlite_where=sa.text("source_upload IS NOT NULL"),
            postgresql_where=sa.text("source_upload IS NOT NULL"),
        )
        batch_op.create_index("upload_source", ["sha256"], unique=False)

    op.create_table(
        "view",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_view_brand")),
        sa.PrimaryKeyConstraint("brand", name=op.f("pk_view")),
    )
    op.create_table(
        "entry",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("declared_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("upload", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("client", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reason", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_entry_brand")),
        sa.ForeignKeyConstraint(["upload"], ["upload.id"], name=op.f("fk_entry_upload")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
        sa.UniqueConstraint("brand", "path", name=op.f("uq_entry_brand_path")),
    )
    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.create_index(
            "entry_due_at",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )
        batch_op.create_index(
            "entry_expires_at",
            ["expires_at"],
            unique=False,
            sqlite_where=sa.text("expires_at IS NOT NULL"),
            postgresql_where=sa.text("expires_at IS NOT NULL"),
        )
        batch_op.create_index("entry_of_owner", ["owner", "place"], unique=False)
        batch_op.create_index(
            "entry_of_upload",
            ["upload"],
            unique=False,
            sqlite_where=sa.text("upload IS NOT NULL"),
            postgresql_where=sa.text("upload IS NOT NULL"),
        )
        batch_op.create_index("entry_sha256", ["sha256"], unique=False)

    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("upload", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_event_brand")),
        sa.ForeignKeyConstraint(["upload"], ["upload.id"], name=op.f("fk_event_upload")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index("event_of_brand", ["brand", "id"], unique=False)
        batch_op.create_index("event_of_upload", ["upload", "id"], unique=False)

    op.create_table(
        "file",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("upload", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_file_brand")),
        sa.ForeignKeyConstraint(["upload"], ["upload.id"], name=op.f("fk_file_upload")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file")),
        sa.UniqueConstraint("brand", "folder", "name", name=op.f("uq_file_brand_folder_name")),
    )
    with op.batch_alter_table("file", schema=None) as batch_op:
        batch_op.create_index("file_blob", ["area", "blob"], unique=False)
        batch_op.create_index("file_created_at", ["created_at"], unique=False)
        batch_op.create_index("file_of_upload", ["upload", "id"], unique=False)

    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("upload", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("args", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("takeovers", sa.Integer(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("progress", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_job_brand")),
        sa.ForeignKeyConstraint(["upload"], ["upload.id"], name=op.f("fk_job_upload")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index("job_of_upload", ["upload", "id"], unique=False)
        batch_op.create_index(
            "job_one_head",
            ["brand"],
            unique=True,
            sqlite_where=sa.text("place IN ('queued', 'running')"),
            postgresql_where=sa.text("place IN ('queued', 'running')"),
        )
        batch_op.create_index(
            "job_queued",
            ["id"],
            unique=False,
            sqlite_where=sa.text("place = 'queued'"),
            postgresql_where=sa.text("place = 'queued'"),
        )
        batch_op.create_index(
            "job_running",
            ["lease_until"],
            unique=False,
            sqlite_where=sa.text("place = 'running'"),
            postgresql_where=sa.text("place = 'running'"),
        )
        batch_op.create_index(
            "job_waiting",
            ["brand", "id"],
            unique=False,
            sqlite_where=sa.text("place = 'waiting'"),
            postgresql_where=sa.text("place = 'waiting'"),
        )

    op.create_table(
        "version",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("upload", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("of", sa.Integer(), nullable=True),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=True),
        sa.Column("changes_csv", sa.Text(), nullable=True),
        sa.Column("changes_csv_bytes", sa.BigInteger(), nullable=False),
        sa.Column("products", sa.BigInteger(), nullable=False),
        sa.Column("columns", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_version_brand")),
        sa.ForeignKeyConstraint(["upload"], ["upload.id"], name=op.f("fk_version_upload")),
        sa.PrimaryKeyConstraint("brand", "number", name=op.f("pk_version")),
        sa.UniqueConstraint("upload", name=op.f("uq_version_upload")),
    )
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.create_index(
            "version_changes",
            ["changes"],
            unique=False,
            sqlite_where=sa.text("changes IS NOT NULL"),
            postgresql_where=sa.text("changes IS NOT NULL"),
        )
        batch_op.create_index(
            "version_changes_csv",
            ["changes_csv"],
            unique=False,
            sqlite_where=sa.text("changes_csv IS NOT NULL"),
            postgresql_where=sa.text("changes_csv IS NOT NULL"),
        )
        batch_op.create_index("version_created_at", ["created_at"], unique=False)
        batch_op.create_index(
            "version_file",
            ["file"],
            unique=False,
            sqlite_where=sa.text("file IS NOT NULL"),
            postgresql_where=sa.text("file IS NOT NULL"),
        )
        batch_op.create_index(
            "version_with_files",
            ["brand", "number"],
            unique=False,
            sqlite_where=sa.text("file IS NOT NULL"),
            postgresql_where=sa.text("file IS NOT NULL"),
        )

    op.create_table(
        "withheld",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("upload", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("products", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["brand"], ["brand.name"], name=op.f("fk_withheld_brand")),
        sa.ForeignKeyConstraint(["upload"], ["upload.id"], name=op.f("fk_withheld_upload")),
        sa.PrimaryKeyConstraint("brand", name=op.f("pk_withheld")),
    )
