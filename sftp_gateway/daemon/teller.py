"""Logs what verbs of the command line did: their own log is a terminal, and operators read this one."""

import asyncio

from sftp_gateway import logs, receipt
from sftp_gateway.errors import Unavailable
from sftp_gateway.store import database, deeds
from sftp_gateway.store.database import Store

log = logs.get(__name__)

LOOK_SECONDS = 1.0


class Teller:
    """The part that tells each deed once, whichever process of the gateway it lives in."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self) -> None:
        """Tell, for ever; a store that is away is waited for (others say that it is)."""
        while True:
            try:
                found = await asyncio.to_thread(deeds.take, self._store)
            except Unavailable:
                found = []
            for deed in found:
                fields = {"by": deed.by, **deed.fields, "at": receipt.moment(deed.at)}
                getattr(log, database.LOUD.get(deed.event, "info"))(deed.event, **fields)
            if len(found) < deeds.MOST:
                await asyncio.sleep(LOOK_SECONDS)
