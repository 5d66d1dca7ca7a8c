"""What SIGHUP takes over: of the settings as they were read again, and the catalog rules that hold in this process.

Whoever saves catalog.toml is not done before SIGHUP took it: until then, and where it was refused, all go by the
rules as they were. What is not taken over needs a restart.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.settings import Settings
from sftp_gateway.worker import slots
from sftp_gateway.worker.turn import Terms

RELOADED = frozenset({"guards", "limits", "mail", "log.level", "catalog.rules"})
"""Sections and settings that SIGHUP takes over."""


def merged(old: Settings, new: Settings) -> Settings:
    """Give the settings that hold from now on."""
    level = replace(old.log, level=new.log.level)
    return replace(old, guards=new.guards, limits=new.limits, mail=new.mail, catalog=new.catalog, log=level)


def taken(changed: Sequence[str]) -> list[str]:
    """Give those of the changed settings that are taken over."""
    return [name for name in changed if name in RELOADED or name.partition(".")[0] in RELOADED]


class Rules:
    """`terms` is what uploads are judged by, `schema` what columns mean; ConfigError where the file has a mistake."""

    def __init__(self, settings: Settings) -> None:
        self.terms = slots.terms(settings)

    def take(self, terms: Terms) -> list[str]:
        """Go by these from now on; names the settings that this changed."""
        before, self.terms = self.terms, terms
        return ["catalog.rules"] if terms.schema.digest != before.schema.digest else []

    def schema(self) -> Schema:
        """Give the columns and rules of now."""
        return self.terms.schema
