"""Reads and checks a file as a child process does, without a store: python -m tests.bench.check_alone FILE.

Prints how many rows are good, and how many findings there are.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sftp_gateway.worker import nursery

nursery.import_all(f"sftp_gateway.catalog.{name}" for name in ("checking.check", "read.opening", "rules.schema"))

from sftp_gateway.brand import BrandSettings
from sftp_gateway.catalog.checking import check, headers
from sftp_gateway.catalog.read import opening
from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.catalog.rules import schema
from sftp_gateway.upload import Mode


def main() -> None:
    """Do it."""
    rules, settings = schema.load(), BrandSettings()
    source = opening.open_source(Path(sys.argv[1]), Hints(known_headers=headers.known(rules, settings)))
    mapping = headers.match(source.headers, rules, settings, Mode.FULL)
    checker = check.Checker(rules, settings, mapping, Mode.FULL, "acme")
    with ThreadPoolExecutor(2) as pool:
        checked = list(pool.map(checker.check, source.blocks()))
    print(sum(len(part.accepted) for part in checked), sum(part.findings.num_rows for part in checked))


if __name__ == "__main__":
    main()
