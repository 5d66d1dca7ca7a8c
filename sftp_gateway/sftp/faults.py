"""What goes wrong in a session: the client hears words, never the text of an exception of ours; the log hears all."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import asyncssh
from asyncssh.packet import PacketDecodeError, SSHPacket

from sftp_gateway import errors, logs
from sftp_gateway.sftp import status

log = logs.get(__name__)

Process = Callable[[Any, SSHPacket], Awaitable[object]]
"""What answers one kind of request, as asyncssh has it: handler, packet → what is sent."""


def guarded(process: Process) -> Process:
    """Let a request fail with words for the client: never with the text of an exception of ours."""

    @functools.wraps(process)
    async def answer(handler: Any, packet: SSHPacket) -> object:
        try:
            return await process(handler, packet)
        except (asyncssh.SFTPError, OSError, PacketDecodeError, NotImplementedError):
            raise
        except errors.Refused as refusal:
            status.fail(refusal)
        except errors.GatewayError as exc:
            raise asyncssh.SFTPFailure(exc.outside) from exc
        except Exception as exc:
            log.exception("session.faulted", request=process.__name__.removeprefix("_process_"))
            raise asyncssh.SFTPFailure(f"The gateway made a mistake; quote session {handler.session_id}") from exc

    return cast(Process, answer)


async def close_all(server: asyncssh.SFTPServer, files: Iterable[object], session_id: str) -> None:
    """Close each file by itself: asyncssh would leave the rest open after the first error."""
    for file in files:
        try:
            closed: Any = server.close(file)
            await closed
        except (asyncssh.SFTPError, OSError, errors.GatewayError) as exc:
            log.warning("session.close_failed", session=session_id, reason=str(exc))
        except Exception:
            log.exception("session.faulted", session=session_id, request="drop")


def is_awaited(result: object) -> bool:
    """Whether a home's answer is still to come."""
    return asyncio.iscoroutine(result) or isinstance(result, asyncio.Future)
