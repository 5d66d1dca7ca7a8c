"""`bans …`: who stays out after failed logins, and letting them in again."""

import argparse

from sftp_gateway import receipt
from sftp_gateway.cli import opening, output
from sftp_gateway.errors import NotFound
from sftp_gateway.sftp import limits
from sftp_gateway.store import penalties


def listing(options: argparse.Namespace) -> None:
    """List the sources that are kept out now."""
    with opening.gateway(options) as opened:
        found = penalties.listing(opened.store, running=True)
    items = [
        {"source": each.source, "tried": each.tried, "level": each.level, "until": receipt.moment(each.until)}
        for each in found
    ]
    columns: output.Columns = {"SOURCE": "source", "TRIED": "tried", "LEVEL": "level", "UNTIL": "until"}
    output.listing(options.json, {"bans": items}, items, columns, "Nobody is kept out.")


def clear(options: argparse.Namespace) -> None:
    """Let one source in again, or all; a running daemon knows within a second."""
    source = options.source
    if source is not None:
        address = source.partition("/")[0]
        if limits.plain_address(address) is None:
            raise NotFound(f"{source!r} is no address; give one of `bans list`")
        source = limits.source_of(address)
    with opening.gateway(options) as opened:
        cleared = penalties.clear(opened.store, source, opening.who())
    text = "Nobody was kept out." if source is None else f"{source} was not kept out."
    if cleared:
        text = f"{source or 'Everybody'} may come again ({cleared} forgotten)."
    output.answer(options.json, {"cleared": cleared}, text)
