"""`token …`: bearer tokens of operators and brand admins for the status endpoint."""

import argparse

from sftp_gateway import receipt
from sftp_gateway.cli import opening, output
from sftp_gateway.errors import NotFound
from sftp_gateway.store import brands, tokens

LONGEST_NAME = 64


def add(options: argparse.Namespace) -> None:
    """Make a token; its text is shown once and stored hashed."""
    if not options.name.strip() or not options.name.isprintable() or len(options.name) > LONGEST_NAME:
        raise NotFound(f"a token's name has 1 to {LONGEST_NAME} characters that can be seen")
    expires = opening.end(options.expires)
    with opening.gateway(options) as opened:
        if options.brand:
            brands.get(opened.store, options.brand)
        token, secret = tokens.add(
            opened.store,
            options.name,
            brand=options.brand,
            read_only=options.read_only,
            expires_at=expires,
            by=opening.who(),
        )
    made = {"name": token.name, "token": secret, "brand": token.brand, "expires_at": receipt.moment(token.expires_at)}
    output.answer(options.json, made, f"Token {token.name}: {secret}  (shown only now)")


def listing(options: argparse.Namespace) -> None:
    """List the tokens, without their text."""
    with opening.gateway(options) as opened:
        found = tokens.listing(opened.store)
    items = [
        {
            "name": t.name,
            "brand": t.brand,
            "read_only": t.read_only,
            "created_at": receipt.moment(t.created_at),
            "expires_at": receipt.moment(t.expires_at),
        }
        for t in found
    ]
    columns: output.Columns = {
        "TOKEN": "name",
        "BRAND": lambda it: it["brand"] or "all",
        "MAY": lambda it: "read" if it["read_only"] else "read, write",
        "CREATED": "created_at",
        "EXPIRES": "expires_at",
    }
    output.listing(options.json, {"tokens": items}, items, columns, "No token yet: sftp-gateway token add NAME")


def remove(options: argparse.Namespace) -> None:
    """Revoke a token at once."""
    with opening.gateway(options) as opened:
        tokens.remove(opened.store, options.name, opening.who())
    output.answer(options.json, {"removed": options.name}, f"Token {options.name} opens nothing any more.")
