"""`run`, `check`, `demo`."""

import argparse
import asyncio
import os

import uvloop

from sftp_gateway import config, daemon, doctor, logs
from sftp_gateway import demo as demonstration
from sftp_gateway.cli import opening, output
from sftp_gateway.errors import NotFound

ROLES = ("sftp", "worker", "web")


def run(options: argparse.Namespace) -> int:
    """Run the daemon until SIGTERM or SIGINT; 0 when it stopped because it was told to."""
    roles = frozenset(role.strip() for role in options.only.split(",") if role.strip())
    if not roles or roles - frozenset(ROLES):
        raise NotFound(f"--only {options.only}: give some of {','.join(ROLES)}")
    settings = opening.settings(options)
    logs.configure(settings.log.level, settings.log.format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(daemon.run(settings, roles, reload=lambda: config.load(options.config, os.environ)))


def check(options: argparse.Namespace) -> int:
    """Examine the gateway; 78 if something must be mended before it can run."""
    found = doctor.examine(options.config, os.environ)
    if options.json:
        output.as_json({"ok": not any(f.bad for f in found), "checks": [f.as_dict() for f in found]})
    else:
        for finding in found:
            if finding.bad or not options.quiet:
                print(f"{'✗' if finding.bad else '✓'} {finding.what}: {output.clean(finding.says)}")
    return 78 if any(finding.bad for finding in found) else 0


def demo(options: argparse.Namespace) -> int:
    """Show the main job end to end on a throw-away gateway."""
    return demonstration.show(once=options.once)
