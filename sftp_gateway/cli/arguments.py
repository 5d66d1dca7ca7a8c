"""The grammar of the command line: verbs, their arguments, and where each is carried out."""

import argparse
import json
import sys
from typing import Any, NoReturn

from sftp_gateway import __version__

Verbs = Any  # argparse's _SubParsersAction is generic only in its stubs
_SETTINGS = (
    "columns.<column>=<header>, currency=EUR, encoding, delimiter, quote, decimal, date_order, timezone, sheet, mode, "
    "duplicates, unknown_columns, name_pattern, marker, guards.<guard>, allow_from, contact, expect_every"
)
LARGEST = 2**31 - 1
"""The largest number that every database takes for an id."""


def whole(text: str) -> int:
    """Read a number from 1 to the largest there may be."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:19]) <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number from 1 to {LARGEST}")
    return int(text)


def is_text(argument: str) -> bool:
    """Whether an argument came as UTF-8; other bytes are lone surrogates in it, which nothing takes (PEP 383)."""
    return not any("\ud800" <= char <= "\udfff" for char in argument)


class _Parser(argparse.ArgumentParser):
    """One that tells a program, too, what was wrong with its words: parsing stopped, so `--json` is looked for in them."""

    words: tuple[str, ...] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.words = tuple(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        if "--json" in self.words:
            self.exit(2, json.dumps({"error": message, "exit": 2}) + "\n")
        super().error(message)


def parser() -> argparse.ArgumentParser:
    """Build the parser of every verb. `options.call` names module:function below sftp_gateway.cli."""
    top = _Parser(prog="sftp-gateway", description="Brands hand over product catalogs by SFTP.")
    top.add_argument("--version", action="version", version=f"sftp-gateway {__version__}")
    top.add_argument("--config", metavar="FILE", help="gateway.toml to read")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    _daemon(verbs)
    _brands(verbs)
    _uploads(verbs)
    _catalogs(verbs)
    _tokens(verbs)
    _bans(verbs)
    return top


def _verb(verbs: Verbs, name: str, call: str, says: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=says, description=says[0].upper() + says[1:] + ".")
    made.set_defaults(call=call)
    made.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    made.add_argument("--json", action="store_true", help="for programs")
    return made


def _daemon(verbs: Verbs) -> None:
    run = _verb(verbs, "run", "running:run", "run the daemon, or some of its roles")
    run.add_argument("--only", metavar="ROLES", default="sftp,worker,web", help="sftp,worker,web (any of them)")
    run.add_argument(
        "--take-over", action="store_true", help="get the sockets of the gateway that runs here; it drains and ends"
    )
    check = _verb(
        verbs, "check", "showing:check", "say what is wrong with configuration, rules, keys, store, disk, clock"
    )
    check.add_argument("--quiet", action="store_true", help="print only what is wrong")
    demo = _verb(verbs, "demo", "showing:demo", "show the main job end to end on a throw-away gateway on loopback")
    demo.add_argument("--once", action="store_true", help="end when the job is shown")


def _brands(verbs: Verbs) -> None:
    brand = verbs.add_parser("brand", help="brands: add, list, show, set, keys, password")
    below = brand.add_subparsers(dest="brand_verb", metavar="VERB", required=True)
    add = _verb(below, "add", "brands:add", "add a brand; without a key it gets a password, shown once")
    add.add_argument("name")
    add.add_argument("--key", metavar="FILE", help="its public key (OpenSSH)")
    _verb(below, "list", "brands:listing", "list the brands")
    _verb(below, "show", "brands:show", "show a brand, its settings and its keys").add_argument("name")
    for name, says in (("disable", "let a brand in no more"), ("enable", "let a disabled brand in again")):
        _verb(below, name, "brands:switch", says).add_argument("name")
    password = _verb(below, "password", "brands:password", "give a brand a new password, shown once")
    password.add_argument("name")
    password.add_argument("--remove", action="store_true", help="let it log in by key only")
    put = _verb(below, "set", "brands:change", "change settings of a brand; an empty VALUE goes back to the default")
    put.add_argument("name")
    put.add_argument("pairs", nargs="+", metavar="KEY=VALUE", help=_SETTINGS)
    mapping = _verb(
        below, "map", "mapping:propose_columns", "propose which header of a file fills which column, and save it on yes"
    )
    mapping.add_argument("name")
    mapping.add_argument("--from", dest="file", required=True, metavar="FILE", help="a file as the brand sends it")
    mapping.add_argument("--yes", action="store_true", help="save what is new without asking")
    key = below.add_parser("key", help="public keys of a brand")
    keys = key.add_subparsers(dest="key_verb", metavar="VERB", required=True)
    key_add = _verb(keys, "add", "brands:key_add", "let a brand log in with one more public key")
    key_add.add_argument("name")
    key_add.add_argument("file", metavar="FILE")
    key_add.add_argument("--label", default="")
    key_add.add_argument("--expires", metavar="DATE", help="ISO date or moment after which it is refused")
    key_remove = _verb(keys, "remove", "brands:key_remove", "forget a public key")
    key_remove.add_argument("name")
    key_remove.add_argument("fingerprint", help="SHA256:…")
    erase = _verb(verbs, "erase", "brands:erase", "erase everything of a brand, with a proof line")
    erase.add_argument("--brand", required=True, metavar="NAME")
    erase.add_argument("--yes", action="store_true", help="do not ask")


def _uploads(verbs: Verbs) -> None:
    ingest = _verb(verbs, "ingest", "ingesting:ingest", "take a file as an upload of a brand, wait, print the receipt")
    ingest.add_argument("--brand", required=True, metavar="NAME")
    ingest.add_argument(
        "--mode", choices=("full", "partial", "test"), help="default: what is set for the brand, else full"
    )
    ingest.add_argument("file", metavar="FILE")
    inspect = _verb(verbs, "inspect", "inspecting:inspect", "say what the reader understands of files")
    inspect.add_argument("files", nargs="+", metavar="FILE")
    inspect.add_argument("--brand", metavar="NAME", help="with the settings of this brand")
    how = inspect.add_mutually_exclusive_group()
    how.add_argument("--csv", action="store_true", help="print every readable row as clean CSV")
    how.add_argument("--csv-dir", metavar="DIR", help="write that as DIR/<name> for each file")
    listing = _verb(verbs, "uploads", "uploads:listing", "list uploads, newest first")
    listing.add_argument("--brand", metavar="NAME")
    listing.add_argument(
        "--state", action="append", default=[], metavar="STATE", help="published, held …; several: give it again"
    )
    listing.add_argument("--since", metavar="DATE", help="ISO date or moment")
    listing.add_argument("--limit", type=whole, default=50, help="how many (default: 50)")
    listing.add_argument("--cursor", type=whole, help="`next` of the page before")
    _verb(verbs, "upload", "uploads:show", "print the receipt of an upload").add_argument("id", type=whole)
    for name, says in (
        ("approve", "release a hold, or the removals that were withheld"),
        ("refuse", "refuse a hold, or keep what would have been removed"),
        ("retry", "try a failed upload again; a refused or held one as a new upload under today's rules"),
    ):
        _verb(verbs, name, f"uploads:{name}", says).add_argument("id", type=whole)


def _catalogs(verbs: Verbs) -> None:
    catalog = _verb(verbs, "catalog", "catalogs:catalog", "print the catalog of a brand")
    catalog.add_argument("--brand", required=True, metavar="NAME")
    catalog.add_argument("--version", type=whole, metavar="N", help="an older version")
    catalog.add_argument("--format", choices=("csv", "jsonl", "parquet"), help="default: csv, with --json jsonl")
    catalog.add_argument("--output", metavar="FILE", help="write there instead of printing")
    changes = _verb(verbs, "changes", "catalogs:changes", "print what a version changed")
    changes.add_argument("--brand", required=True, metavar="NAME")
    changes.add_argument("--version", type=whole, metavar="N", help="default: the current one")
    versions = _verb(verbs, "versions", "catalogs:versions_of", "list the versions of a brand's catalog")
    versions.add_argument("--brand", required=True, metavar="NAME")
    rollback = _verb(verbs, "rollback", "catalogs:rollback", "publish an old version again, as a new one")
    rollback.add_argument("--brand", required=True, metavar="NAME")
    rollback.add_argument("number", type=whole, metavar="N")


def _tokens(verbs: Verbs) -> None:
    token = verbs.add_parser("token", help="bearer tokens for the status endpoint")
    below = token.add_subparsers(dest="token_verb", metavar="VERB", required=True)
    add = _verb(below, "add", "tokens:add", "make a token, shown once")
    add.add_argument("name")
    add.add_argument("--brand", metavar="NAME", help="sees only this brand")
    add.add_argument("--read-only", action="store_true")
    add.add_argument("--expires", metavar="DATE", help="ISO date or moment")
    _verb(below, "list", "tokens:listing", "list the tokens")
    _verb(below, "remove", "tokens:remove", "revoke a token").add_argument("name")


def _bans(verbs: Verbs) -> None:
    bans = verbs.add_parser("bans", help="sources that stay out after failed logins")
    below = bans.add_subparsers(dest="bans_verb", metavar="VERB", required=True)
    _verb(below, "list", "bans:listing", "list who is kept out now, and until when")
    clear = _verb(below, "clear", "bans:clear", "let a source in again, or all")
    clear.add_argument("source", nargs="?", metavar="SOURCE", help="an address; without one: everybody")
