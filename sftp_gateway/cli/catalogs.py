"""`catalog`, `changes`, `versions`, `rollback`: what is published."""

import argparse
import shutil
import sys
from pathlib import Path

from sftp_gateway import blobs, receipt
from sftp_gateway.catalog import export
from sftp_gateway.catalog.comparing import changes_csv
from sftp_gateway.catalog.rules import schema
from sftp_gateway.cli import given, opening, output
from sftp_gateway.errors import NotFound
from sftp_gateway.store import brands, versions
from sftp_gateway.worker import errand


def catalog(options: argparse.Namespace) -> None:
    """Print a version of a catalog as CSV, JSON Lines or Parquet; with `--json`, where it is printed, JSON Lines."""
    form: export.Form = options.format or ("jsonl" if options.json and options.output is None else "csv")
    with opening.gateway(options) as opened:
        brands.get(opened.store, options.brand)
        version = versions.kept(opened.store, options.brand, options.version)
        if options.output is None and form == "parquet" and sys.stdout.isatty():
            raise NotFound("Parquet is not for a terminal: give --output FILE, or send it to a file")
        rules = schema.load(opened.settings.catalog.rules)
        with opened.files.local(blobs.Area.CATALOG, version.file) as parquet:
            if options.output is None:
                export.write(parquet, rules, form, sys.stdout.buffer)
                sys.stdout.flush()
                return
            with given.opened(Path(options.output)) as out:
                export.write(parquet, rules, form, out)
    if options.json:
        output.as_json(
            {"brand": options.brand, "version": version.number, "products": version.products, "file": options.output}
        )


def changes(options: argparse.Namespace) -> None:
    """Print what a version changed: op,key,column,before,after; with `--json` a line of JSON for each."""
    with opening.gateway(options) as opened:
        brands.get(opened.store, options.brand)  # a name nearly right gets a hint
        version = versions.asked(opened.store, options.brand, options.version)
        if version.changes_csv is None:
            raise NotFound(f"the changes of version {version.number} were removed after their retention")
        with opened.files.open(blobs.Area.CATALOG, version.changes_csv) as source:
            if options.json:
                for change, _ in changes_csv.read(source):
                    output.as_json(change, indent=None)
            else:
                shutil.copyfileobj(source, sys.stdout.buffer)
        sys.stdout.flush()


def versions_of(options: argparse.Namespace) -> None:
    """List the versions of a catalog, newest first."""
    with opening.gateway(options) as opened:
        brand = brands.get(opened.store, options.brand)
        found = versions.listing(opened.store, options.brand)
    items = [
        {
            "version": v.number,
            "current": v.number == brand.current_version,
            "created_at": receipt.moment(v.created_at),
            "products": v.products,
            "origin": v.origin,
            "upload": v.upload,
            "equals": v.of,
        }
        for v in found
    ]
    columns: output.Columns = {
        "VERSION": "version", "": lambda it: "current" if it["current"] else "", "CREATED": "created_at",
        "PRODUCTS": "products", "MADE BY": "origin", "UPLOAD": "upload", "EQUALS": "equals",
    }  # fmt: skip
    document = {"brand": options.brand, "versions": items}
    output.listing(options.json, document, items, columns, "Nothing published yet.")


def rollback(options: argparse.Namespace) -> None:
    """Publish an old version again, as a new one, and wait until it is live."""
    with opening.gateway(options) as opened:
        by = opening.who()
        verb = errand.Errand(opened.store, opened.files, opened.settings)
        made = verb.roll_back(options.brand, options.number, by=by)
    told = {"brand": options.brand, "version": made.number, "equals": options.number, "products": made.products}
    what = f"is live and equals version {options.number} ({made.products:,} products)"
    output.answer(options.json, told, f"Version {made.number} of {options.brand} {what}.")
