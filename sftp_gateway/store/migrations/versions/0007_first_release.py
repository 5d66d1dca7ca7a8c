"""The shape of the first release, which a new database gets from store/tables.py; those before it were of no release."""

revision = "0007"
down_revision = None


def upgrade() -> None:
    """Leave all as it is: `migrations.bring_up` makes a new database, and it has this revision at least."""
