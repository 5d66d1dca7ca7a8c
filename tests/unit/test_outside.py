"""What strangers read of our troubles: what is wrong, and no machine, path or login of ours."""

import asyncssh
import pytest

from sftp_gateway import errors
from sftp_gateway.sftp import faults
from sftp_gateway.store import database

URL = "postgresql+psycopg://gateway:hunter2@127.0.0.1:1/shop?connect_timeout=1"


def unreachable():
    with pytest.raises(errors.StoreUnreachable) as told:
        database.open_store(URL)
    return told.value


async def test_a_client_hears_that_the_database_is_away_and_not_where_it_is():
    error = unreachable()
    assert "127.0.0.1" in str(error), "logs and verbs say it"

    async def process(handler, packet):
        raise error

    with pytest.raises(asyncssh.SFTPFailure) as told:
        await faults.guarded(process)(None, None)
    assert told.value.reason == "the database does not answer"
