"""What the tables are made of: kinds of columns, and indexes, that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

T = TypeVar("T")

# A rule of Alembic: constraints need names on every engine to be altered later.
metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# INTEGER PRIMARY KEY is SQLite's rowid; 64 bit on both engines.
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True)
_WHERE = "where"


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware UTC moment: timestamptz on PostgreSQL, sortable UTC text on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse naive moments; hand the database UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give back aware UTC whatever the session's time zone is."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def brand(**kwargs: Any) -> sa.Column[str]:
    """Make the column that says whose a row is."""
    return sa.Column("brand", sa.Text, sa.ForeignKey("brand.name"), nullable=False, **kwargs)


def every(kind: Any, *names: str) -> list[sa.Column[Any]]:
    """Make columns of one kind, none of them null."""
    return [sa.Column(name, kind, nullable=False) for name in names]


def partial(name: str, *columns: Any, where: Any, unique: bool = False) -> sa.Index:
    """Make an index of some rows only, on SQLite; on PostgreSQL where `partial_on_postgresql` was called."""
    return sa.Index(name, *columns, unique=unique, sqlite_where=where, info={_WHERE: where})


def partial_on_postgresql() -> None:
    """Have such indexes hold some rows only on PostgreSQL, too: to say so with each loads its part of the library for all."""
    for table in metadata.tables.values():
        for index in table.indexes:
            if _WHERE in index.info:
                index.dialect_kwargs["postgresql_where"] = index.info[_WHERE]


def value(row: Any, kind: type[T]) -> T:
    """Make the value of a row, whose columns its fields are."""
    return msgspec.convert(row, kind, from_attributes=True)
