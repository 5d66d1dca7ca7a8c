"""Mails to a brand's contact: one for each upload that did not go well, one when nothing came (spec §13).

`note` is told by the worker's side what uploads came to and writes to the outbox; `Postman` sends
from there in a process that has a network. A mail server that is away delays mails, nothing else.
"""

import asyncio
import concurrent.futures
import contextlib
import re
import smtplib
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

from sftp_gateway import logs, outcome, quantity, receipt, settings
from sftp_gateway.brand import Brand
from sftp_gateway.errors import GatewayError, Unavailable
from sftp_gateway.store import brands, outbox, uploads
from sftp_gateway.store.database import Store
from sftp_gateway.upload import State, Upload

log = logs.get(__name__)

LOOK_SECONDS = 1.0
OVERDUE_SECONDS = 60.0
SEND_SECONDS = 30.0
GOODBYE_SECONDS = 2.0
LEASE_SECONDS = 120.0
BACKOFF_SECONDS = 60.0
LONGEST_BACKOFF_SECONDS = 3600.0
GIVE_UP_AFTER = timedelta(days=3)
NEWS_AGE = timedelta(hours=24)
"""What ended longer ago is no news, as is what ended before the contact was set."""
BAD = frozenset({State.REFUSED, State.HELD, State.FAILED, State.UNFINISHED})

Limits = Callable[[], settings.Mail]


def note(store: Store, limits: settings.Mail, brand: Brand, known: Sequence[Upload]) -> int:
    """Put a mail for each upload that deserves one into the outbox, once; gives how many. Raises Unavailable."""
    if not limits.host or not brand.settings.contact:
        return 0
    oldest = store.now() - NEWS_AGE
    told = {f"upload:{upload.id}": upload for upload in known if _deserves_mail(upload, oldest)}
    fresh = set(told) - outbox.known(store, brand.name, list(told)) if told else set()
    if not fresh:
        return 0
    # Whoever was named since has nothing to do with what went wrong before, and would have it all at once.
    named = brands.contact_set_at(store, brand.name, min(told[occasion].id for occasion in fresh))
    fresh = {occasion for occasion in fresh if named is None or _ended_at(told[occasion]) >= named}
    return sum(
        outbox.add(
            store,
            brand.name,
            occasion,
            recipient=brand.settings.contact,
            subject=_subject(told[occasion]),
            text=_text(told[occasion]),
        )
        for occasion in sorted(fresh)
    )


def _deserves_mail(upload: Upload, oldest: datetime) -> bool:
    """Whether it ended badly or lost rows. An unfinished one counts once its time is up and it has a receipt."""
    if _ended_at(upload) < oldest:
        return False
    if upload.state in BAD:
        return upload.receipt is not None or upload.state is not State.UNFINISHED
    return upload.finished_at is not None and receipt.of(upload)["rows"]["rejected"] > 0


def _ended_at(upload: Upload) -> datetime:
    return upload.finished_at or upload.received_at


def _subject(upload: Upload) -> str:
    # A name may look like an encoded word (RFC 2047), which the email package would decode, and fail if that is no text.
    name = _one_line(upload.name).replace("=?", "= ?")
    return f"{outcome.label(receipt.of(upload)).text}: {name} (upload {upload.id} of {upload.brand})"


def _text(upload: Upload) -> str:
    found = receipt.of(upload)
    said = [outcome.sentence(found), "", f"File      {_one_line(found['file']['name'])}"]
    said += [f"Received  {found['times']['received']}", f"Upload    {upload.id}"]
    if found["files"]:
        said += ["", "In your SFTP home:"] + [f"  /errors/{_one_line(file['name'])}" for file in found["files"]]
    return "\n".join([*said, "", "Instructions are in /README.txt of your SFTP home.", ""])


def _one_line(text: str) -> str:
    """Names come from outside: no line of theirs may become a line of a mail."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", text)


class Postman:
    """The part that sends what is in the outbox, and notices brands from which nothing comes."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store, self._limits = store, limits
        self._overdue: dict[str, str] = {}
        self._sent = 0

    async def run(self) -> None:
        """Send and watch, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(LOOK_SECONDS, self._send_due), name="send mails")
            group.create_task(_every(OVERDUE_SECONDS, lambda: asyncio.to_thread(self.watch)), name="overdue brands")

    def snapshot(self) -> dict[str, float]:
        """Tell how many mails were sent and how many brands are overdue."""
        return {"sent": self._sent, "overdue": len(self._overdue)}

    def deliver(self) -> int:
        """Send what is due; gives how many. Blocks; raises Unavailable only for the store."""
        before = self._sent
        while self._next():
            pass
        return self._sent - before

    async def _send_due(self) -> None:
        while await _apart(self._next):
            pass

    def _next(self) -> bool:
        """Try the mail that is due first; False if none is."""
        limits = self._limits()
        if not limits.host or (mail := outbox.take(self._store, LEASE_SECONDS)) is None:
            return False
        try:
            _send(limits, mail)
        except smtplib.SMTPRecipientsRefused as error:
            # 4xx means "not now", as greylisting says to every first try.
            final = all(code >= 500 for code, _ in error.recipients.values())
            self._failed(mail, f"recipient refused: {error.recipients}", final=final)
        except smtplib.SMTPDataError as error:
            self._failed(mail, f"refused: {error}", final=error.smtp_code >= 500)
        except (OSError, smtplib.SMTPException) as error:
            self._failed(mail, f"{type(error).__name__}: {error}", final=False)
        except Exception as error:  # noqa: BLE001 - whatever a header's text makes the email package raise, one mail is to blame
            self._failed(mail, f"cannot be written: {type(error).__name__}: {error}", final=True)
        else:
            outbox.sent(self._store, mail)
            log.info("mail.sent", brand=mail.brand, occasion=mail.occasion)
            self._sent += 1
        return True

    def watch(self) -> None:
        """Say once for each gap that nothing came from a brand for its `expect_every`."""
        now, found = self._store.now(), {}
        for brand in brands.all_brands(self._store):
            if brand.enabled and (since := _silent_since(self._store, brand, now)) is not None:
                found[brand.name] = since
                if self._overdue.get(brand.name) != since:
                    self._tell(brand, since)
        self._overdue = found

    def _tell(self, brand: Brand, since: str) -> None:
        """Note it as a mail, to nobody where none is sent: who starts again, or watches beside us, does not tell it again."""
        wanted = brand.settings
        if outbox.add(
            self._store,
            brand.name,
            f"overdue:{since}",
            recipient=wanted.contact if self._limits().host else "",
            subject=f"No catalog came from {brand.name} for {wanted.expect_every}",
            text=f"The last file of {brand.name} came at {since}. One is expected every {wanted.expect_every}."
            " Please see whether your transfer still runs.\n",
        ):
            log.warning("brand.overdue", brand=brand.name, since=since, expect_every=wanted.expect_every)

    def _failed(self, mail: outbox.Mail, error: str, *, final: bool) -> None:
        over = final or self._store.now() - mail.created_at > GIVE_UP_AFTER
        wait = min(BACKOFF_SECONDS * 2.0 ** (mail.tries - 1), LONGEST_BACKOFF_SECONDS)
        outbox.postponed(self._store, mail, error, None if over else wait)
        log.warning(
            "mail.given_up" if over else "mail.postponed", brand=mail.brand, occasion=mail.occasion, error=error
        )


async def _every(seconds: float, what: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await what()
        except Unavailable as error:
            log.warning("store.unreachable", error=str(error))
        await asyncio.sleep(seconds)


async def _apart(what: Callable[[], bool]) -> bool:
    """Call it in a thread that keeps no process alive: a silent mail server takes minutes, a stop has seconds.

    Cancelled, it waits a moment, so that a mail which goes out just now is noted as sent.
    """
    done: concurrent.futures.Future[bool] = concurrent.futures.Future()
    done.set_running_or_notify_cancel()

    def call() -> None:
        try:
            done.set_result(what())
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            done.set_exception(error)

    threading.Thread(target=call, name="mail", daemon=True).start()
    told = asyncio.wrap_future(done)
    try:
        return await asyncio.shield(told)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await told
        raise


def _silent_since(store: Store, brand: Brand, now: datetime) -> str | None:
    """Tell since when nothing came if that is too long; None if all is well or nothing is expected."""
    if not brand.settings.expect_every:
        return None
    # A text that is no time any more, or longer than time is: `brand set` would refuse it.
    with contextlib.suppress(GatewayError, ValueError, OverflowError):
        allowed = timedelta(seconds=quantity.TIME.read(brand.settings.expect_every))
        newest, _ = uploads.listing(store, brand=brand.name, limit=1)
        last = newest[0].received_at if newest else brand.created_at
        return receipt.moment(last) if now - last > allowed else None
    return None


def _send(limits: settings.Mail, mail: outbox.Mail) -> None:
    message, recipient = EmailMessage(), _reachable(mail.recipient)
    message["From"], message["To"], message["Subject"] = limits.sender, recipient, mail.subject
    message["Date"] = format_datetime(mail.created_at.astimezone(UTC))
    # The same for every try, so that a mail sent twice after a crash is seen to be one.
    message["Message-ID"] = (
        f"<sftp-gateway.{mail.id}.{int(mail.created_at.timestamp())}@{limits.sender.partition('@')[2]}>"
    )
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    with smtplib.SMTP(limits.host, limits.port, timeout=SEND_SECONDS) as server:
        if limits.starttls:
            server.starttls(context=ssl.create_default_context())  # without, any certificate will do
        if limits.user:
            server.login(limits.user, limits.password)
        server.ehlo_or_helo_if_needed()
        if not recipient.isascii() and not server.has_extn("smtputf8"):
            why = b"the mail server takes plain letters only (no SMTPUTF8); set a contact without others"
            raise smtplib.SMTPRecipientsRefused({recipient: (553, why)})
        server.send_message(message)


def _reachable(address: str) -> str:
    """Give an address with its domain as the DNS has it, which every mail server takes (RFC 5890)."""
    name, _, domain = address.rpartition("@")
    with contextlib.suppress(UnicodeError):
        return f"{name}@{domain.encode('idna').decode()}"
    return address
