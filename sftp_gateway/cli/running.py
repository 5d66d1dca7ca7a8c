"""`run`: the daemon, without what it does not need."""

import argparse
import asyncio
import os
import threading
from functools import partial

import uvloop

from sftp_gateway import config, logs
from sftp_gateway.cli import owner
from sftp_gateway.daemon import gateway
from sftp_gateway.errors import NotFound

ROLES = ("sftp", "worker", "web")


def run(options: argparse.Namespace) -> int:
    """Run the daemon until SIGTERM or SIGINT; 0 when it stopped because it was told to.

    ConfigError if storage.root is open to other users: `check` tells it, and nobody reads that at a start.
    """
    roles = frozenset(role.strip() for role in options.only.split(",") if role.strip())
    if not roles or roles - frozenset(ROLES):
        raise NotFound(f"--only {options.only}: give some of {','.join(ROLES)}")
    settings = owner.settings(options)
    owner.root(settings)
    config.check_closed(settings.storage.root)
    logs.configure(settings.log.level, settings.log.format)
    read = partial(config.load, options.config, os.environ)
    daemon = gateway.Daemon(settings, roles, read, take_over=options.take_over, end_after=_end_after)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(daemon.run())


def _end_after(seconds: float, code: int) -> None:
    """See that this process ends by then: a thread may wait for a bucket, for minutes, and Python for the thread."""
    late = threading.Timer(seconds, os._exit, (code,))
    late.daemon = True
    late.start()
