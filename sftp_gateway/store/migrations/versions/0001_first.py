"""The first shape: brands, drafts, uploads, jobs, versions, files, tokens."""

from alembic import op

from sftp_gateway.store import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    tables.metadata.create_all(op.get_bind())
