"""`check` and `demo`: is all well here, and what is it like."""

import argparse
import os

from sftp_gateway import demo as demonstration
from sftp_gateway import doctor
from sftp_gateway.cli import output, owner


def check(options: argparse.Namespace) -> int:
    """Examine the gateway; 78 if something must be mended before it can run, 69 if all that is wrong may come back."""
    found = doctor.examine(options.config, os.environ, owner.become)
    if options.json:
        output.as_json({"ok": not any(f.bad for f in found), "checks": [f.as_dict() for f in found]})
    else:
        for finding in found:
            if finding.bad or not options.quiet:
                print(f"{'✗' if finding.bad else '✓'} {finding.what}: {output.clean(finding.says)}")
    bad = [finding for finding in found if finding.bad]
    if not bad:
        return 0
    return 69 if all(finding.away for finding in bad) else 78


def demo(options: argparse.Namespace) -> int:
    """Show the main job end to end on a throw-away gateway."""
    return demonstration.show(once=options.once)
