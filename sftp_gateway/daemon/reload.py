"""What SIGHUP takes over of the settings as they were read again, and what needs a restart. Values in, values out."""

from collections.abc import Sequence
from dataclasses import replace

from sftp_gateway.settings import Settings

RELOADED = frozenset({"guards", "limits", "mail", "log.level", "catalog.rules"})
"""Sections and settings that SIGHUP takes over."""


def merged(old: Settings, new: Settings) -> Settings:
    """Give the settings that hold from now on."""
    level = replace(old.log, level=new.log.level)
    return replace(old, guards=new.guards, limits=new.limits, mail=new.mail, catalog=new.catalog, log=level)


def taken(changed: Sequence[str]) -> list[str]:
    """Give those of the changed settings that are taken over."""
    return [name for name in changed if name in RELOADED or name.partition(".")[0] in RELOADED]
