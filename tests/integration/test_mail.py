"""Mails through a real SMTP server: one for each upload that did not go well, and for silence."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
from email import message_from_bytes, policy

import pytest
import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import structs

from sftp_gateway import mail, receipt, settings
from sftp_gateway.brand import BrandSettings
from sftp_gateway.store import brands, jobs, outbox, uploads, workers
from sftp_gateway.upload import Mode, State
from tests import sent, whole


class Sink:
    """Takes mails; answers the next ones, or their recipients, with `answers` or `doubts` if there are any."""

    def __init__(self):
        self.mails, self.answers, self.doubts = [], [], []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - the name aiosmtpd calls
        if self.doubts:
            return self.doubts.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the name aiosmtpd calls
        if self.answers:
            return self.answers.pop(0)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


@pytest.fixture
def sink():
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=0)
    # aiosmtpd connects to the port it was told to see whether it is up; with port 0 it must be asked for.
    with contextlib.suppress(OSError):
        controller.start()
    sink.port = controller.server.sockets[0].getsockname()[1]
    yield sink
    controller.stop()


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that nobody signed but itself, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = made.add_extension(here, critical=False).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path / "mail.pem"
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + signed.public_bytes(pem))
    return path


@pytest.fixture
def limits(sink):
    return settings.Mail(host="127.0.0.1", port=sink.port, sender="gateway@example.com")


@pytest.fixture
def sealed(sink, limits, certificate, monkeypatch):
    """A server that speaks TLS and wants a login: settings for it, and what makes its certificate a trusted one."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    sink.logins = []

    def login(server, session, envelope, mechanism, data):
        sink.logins.append(data)
        return AuthResult(success=True)

    controller = Controller(sink, hostname="127.0.0.1", port=0, tls_context=context, authenticator=login)
    with contextlib.suppress(OSError):
        controller.start()
    port = controller.server.sockets[0].getsockname()[1]
    private = structs.replace(limits, port=port, starttls=True, user="gateway", password="secret")
    yield private, lambda: monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    controller.stop()


@pytest.fixture
def brand(store):
    return brands.create(store, "acme", BrandSettings(contact="ann@acme.example", expect_every="24 h"))


def end(store, state, name="inbox/catalog.csv", rejected=0, reasons=()):
    upload = sent.receive(store, path=name, mode=Mode.TEST if state is State.TESTED else Mode.FULL)
    claimed = jobs.claim(store, owner=workers.me(), lease_seconds=60)
    found = receipt.blank(claimed.upload)
    found["rows"]["rejected"] = rejected
    jobs.finish(store, claimed.id, claimed.token, jobs.Finish(state=state, receipt=found, reasons=reasons))
    return upload.id


def noted(store, limits, brand):
    known, _ = uploads.listing(store, brand="acme")
    return mail.note(store, limits, brand, known)


@pytest.fixture
def postman(store, limits, brand):
    """A postman who has one mail to send."""
    end(store, State.REFUSED)
    noted(store, limits, brand)
    return mail.Postman(store, lambda: limits)


def test_each_upload_that_went_wrong_has_one_mail_whoever_looks_how_often(store, limits, brand, sink):
    refused = end(store, State.REFUSED, reasons=({"code": "FILE_EMPTY", "text": "there is nothing in it"},))
    end(store, State.UNCHANGED)
    rejected = end(store, State.TESTED, rejected=2)
    assert noted(store, limits, brand) == 2
    assert noted(store, limits, brand) == 0
    postman = mail.Postman(store, lambda: limits)
    assert postman.deliver() == 2
    assert postman.deliver() == 0
    assert {one["To"] for one in sink.mails} == {"ann@acme.example"}
    text = {one["Subject"].rpartition("(")[2]: one.get_content() for one in sink.mails}
    assert set(text) == {f"upload {refused} of acme)", f"upload {rejected} of acme)"}
    assert "There is nothing in it" in text[f"upload {refused} of acme)"]


def test_no_mail_without_a_contact_or_a_server_and_none_about_old_news(store, limits, brand, clock):
    end(store, State.REFUSED)
    assert noted(store, settings.Mail(), brand) == 0
    silent = brands.create(store, "silent")
    assert noted(store, limits, silent) == 0
    clock.jump(25 * 3600)
    assert noted(store, limits, brand) == 0


def test_a_contact_that_is_set_has_no_mails_about_what_went_wrong_before(store, limits, clock):
    brands.create(store, "acme")
    for _ in range(3):
        end(store, State.REFUSED)
    clock.jump(60)

    def set_to(contact, **more):
        brands.change_settings(store, "acme", lambda _: BrandSettings(contact=contact, **more))
        return brands.get(store, "acme")

    assert noted(store, limits, set_to("ann@acme.example")) == 0
    clock.jump(60)
    end(store, State.REFUSED)
    clock.jump(60)
    brand = set_to("ann@acme.example", encoding="utf-8")  # something else is set: what is news stays news
    assert noted(store, limits, brand) == 1
    end(store, State.REFUSED)
    clock.jump(60)
    assert noted(store, limits, set_to("bob@acme.example")) == 0, "who is new has no mails of the one before"
    end(store, State.REFUSED)
    assert noted(store, limits, brands.get(store, "acme")) == 1


def test_a_name_from_outside_is_no_header_and_no_line_of_a_mail(store, limits, brand, sink):
    end(store, State.REFUSED, name="inbox/a\r\nBcc: all@example.com\r\n\r\nhello\x85there")
    noted(store, limits, brand)
    mail.Postman(store, lambda: limits).deliver()
    [got] = sink.mails
    assert got["Bcc"] is None
    assert "\nhello" not in got.get_content()


def test_a_name_that_looks_like_an_encoded_word_is_mailed_as_it_is_and_stops_nobody(store, limits, brand, sink):
    name = "=?utf-8?q?=ff?=gr\u20ac.csv"  # decoded, it would be no text: such a name ended the whole daemon
    end(store, State.REFUSED, name=f"inbox/{name}")
    noted(store, limits, brand)
    assert mail.Postman(store, lambda: limits).deliver() == 1
    [got] = sink.mails
    assert "utf-8?q?=ff?=gr\u20ac.csv" in got["Subject"]
    assert name in got.get_content()


def test_a_contact_that_no_mail_can_have_is_given_up_and_the_next_mail_goes(store, limits, sink):
    for name, contact in (("acme", "\u65e5\\@,?q?<"), ("bolt", "ann@bolt.example")):
        brand = brands.create(store, name, BrandSettings(contact=contact))
        outbox.add(store, brand.name, "test", recipient=contact, subject="s", text="t")
    postman = mail.Postman(store, lambda: limits)
    assert postman.deliver() == 1
    assert postman.deliver() == 0
    assert [one["To"] for one in sink.mails] == ["ann@bolt.example"]


def test_an_interval_that_no_clock_can_count_ends_nothing(store, limits, sink):
    brands.create(store, "acme", BrandSettings(expect_every="99999999999999999 d"))
    postman = mail.Postman(store, lambda: limits)
    postman.watch()
    assert postman.snapshot()["overdue"] == 0


@pytest.mark.parametrize(("answers", "doubts"), [(["451 not now"], []), ([], ["450 4.2.0 greylisted, come again"])])
def test_a_mail_server_that_takes_a_mail_later_is_asked_again(postman, sink, clock, answers, doubts):
    """Greylisting doubts the recipient for now: whoever does not come again after a while is no mail server."""
    sink.answers, sink.doubts = answers[:], doubts[:]
    assert postman.deliver() == 0
    assert postman.deliver() == 0, "not before its time"
    clock.jump(61)
    assert postman.deliver() == 1
    assert [one["To"] for one in sink.mails] == ["ann@acme.example"]


def test_no_password_goes_to_a_mail_server_whose_certificate_nobody_signed(store, sealed, brand, sink, clock):
    limits, trust = sealed
    end(store, State.REFUSED)
    noted(store, limits, brand)
    postman = mail.Postman(store, lambda: limits)
    assert (postman.deliver(), sink.logins, sink.mails) == (0, [], [])
    trust()
    clock.jump(61)
    assert postman.deliver() == len(sink.logins) == len(sink.mails) == 1


@pytest.mark.parametrize(("answers", "doubts"), [(["554 5.7.1 no such mail"], []), ([], ["550 5.1.1 no such user"])])
def test_a_mail_or_a_recipient_that_the_mail_server_refuses_for_good_is_given_up(postman, sink, clock, answers, doubts):
    sink.answers, sink.doubts = answers[:], doubts[:]
    assert postman.deliver() == 0
    clock.jump(2 * 3600)
    assert postman.deliver() == 0
    assert sink.mails == []


@pytest.mark.parametrize(
    ("contact", "sent_to"),
    [("d\u00fcrer@acme.example", []), ("ann@m\u00fcller.example", ["ann@xn--mller-kva.example"])],
)
def test_a_contact_that_the_mail_server_has_no_letters_for_is_given_up_at_once(store, sink, contact, sent_to):
    brands.create(store, "acme", BrandSettings(contact=contact))
    outbox.add(store, "acme", "test", recipient=contact, subject="s", text="t")
    controller = Controller(sink, hostname="127.0.0.1", port=0, enable_SMTPUTF8=False)
    with contextlib.suppress(OSError):
        controller.start()
    limits = settings.Mail(host="127.0.0.1", port=controller.server.sockets[0].getsockname()[1])
    with structlog.testing.capture_logs() as said:
        mail.Postman(store, lambda: limits).deliver()
    controller.stop()
    assert [one["To"] for one in sink.mails] == sent_to
    given_up = [entry["error"] for entry in said if entry["event"] == "mail.given_up"]
    assert len(given_up) == 1 - len(sent_to)
    assert all("no SMTPUTF8" in error for error in given_up)


def test_a_mail_that_nobody_takes_for_days_is_given_up(store, brand, clock):
    away = settings.Mail(host="127.0.0.1", port=1)
    end(store, State.REFUSED)
    noted(store, away, brand)
    postman = mail.Postman(store, lambda: away)
    postman.deliver()
    clock.jump(4 * 86400)
    postman.deliver()
    clock.jump(4 * 86400)
    assert outbox.take(store, 1) is None


def test_a_mail_whose_sender_died_is_due_again(store, postman, clock):
    assert outbox.take(store, 120) is not None
    assert outbox.take(store, 120) is None
    clock.jump(121)
    assert postman.deliver() == 1


def test_a_mail_waits_for_no_clock_that_was_set_back_meanwhile(postman, sink, clock):
    sink.answers = ["451 later"]
    assert postman.deliver() == 0
    clock.jump(-30 * 24 * 3600)
    assert postman.deliver() == 1


def test_silence_is_told_once_for_each_gap(store, limits, brand, sink, clock):
    postman = mail.Postman(store, lambda: limits)
    postman.watch()
    assert postman.snapshot()["overdue"] == 0
    clock.jump(25 * 3600)
    postman.watch()
    postman.watch()
    mail.Postman(store, lambda: limits).watch()  # another process notices it, too
    assert postman.snapshot()["overdue"] == 1
    postman.deliver()
    assert [one["Subject"] for one in sink.mails] == ["No catalog came from acme for 24 h"]
    end(store, State.UNCHANGED)
    postman.watch()
    assert postman.snapshot()["overdue"] == 0


@pytest.mark.parametrize("contact", ["", "ann@acme.example"])
def test_silence_is_logged_once_for_each_gap_whoever_watches_and_starts_again(store, clock, contact):
    brands.create(store, "acme", BrandSettings(contact=contact, expect_every="24 h"))
    with structlog.testing.capture_logs() as said:
        for _ in range(2):  # two gaps
            clock.jump(25 * 3600)
            for _ in range(2):  # as after a restart; no mail is sent from here
                postman = mail.Postman(store, settings.Mail)
                postman.watch()
                postman.watch()
                assert postman.snapshot()["overdue"] == 1
            end(store, State.UNCHANGED)
    assert [entry["event"] for entry in said if entry["event"].startswith("brand.")] == ["brand.overdue"] * 2


def test_a_brand_that_is_erased_while_its_mail_is_written_ends_nothing(store, limits, brand, files):
    refused = end(store, State.REFUSED, reasons=({"code": "FILE_EMPTY", "text": "there is nothing in it"},))
    known = [uploads.get(store, refused)]
    brands.erase(store, files, "acme")
    assert mail.note(store, limits, brand, known) == 0
    mail.Postman(store, lambda: limits)._tell(brand, "2026-01-05T12:00:00Z")
    assert outbox.take(store, 60) is None


async def test_a_cut_file_that_was_sent_again_whole_at_once_costs_no_mail_and_no_refusal(gateway, sink):
    with gateway.store() as store:
        brands.change_settings(store, "acme", lambda _: BrandSettings(contact="ann@acme.example"))
    mails = {"HOST": "127.0.0.1", "PORT": str(sink.port), "SENDER": "gateway@example.com"}
    intake = {"SETTLE_SECONDS": "0.5 s", "INCOMPLETE_AFTER": "1 s"}
    environ = {f"MAIL__{name}": value for name, value in mails.items()}
    environ |= {f"INTAKE__{name}": value for name, value in intake.items()}
    gateway.start(**{f"SFTP_GATEWAY_{name}": value for name, value in environ.items()})
    whole_file = whole.catalog(3)
    async with gateway.connect() as connection, connection.start_sftp_client() as sftp:

        async def put(path, text):
            async with sftp.open(path, "w") as file:
                await file.write(text)

        await put("/t.csv", whole_file[:-10])
        await put("/t.csv", whole_file)
        await put("/u.csv", whole_file[:-10])
        await put("/u.csv.part", whole_file.replace("Chair", "Table"))
        await sftp.posix_rename("/u.csv.part", "/u.csv")
        await put("/v.csv", "sku,name,msrp\n")  # refused, so that there is a mail to wait for
        async with asyncio.timeout(30):
            while not sink.mails:  # noqa: ASYNC110 - another process sends it
                await asyncio.sleep(0.02)
        errors = [name for name in await sftp.listdir("/errors") if not name.startswith(".")]
    with gateway.store() as store:
        found, _ = uploads.listing(store, brand="acme")
    told = {(upload.name, upload.state) for upload in found}
    assert told == {
        ("t.csv", State.SUPERSEDED), ("t.csv", State.PUBLISHED),
        ("u.csv", State.SUPERSEDED), ("u.csv", State.PUBLISHED),
        ("v.csv", State.REFUSED),
    }  # fmt: skip
    assert ["v.csv" in mail["Subject"] for mail in sink.mails] == [True]
    cut = [f".{upload.id}.errors" for upload in found if upload.state is State.SUPERSEDED]
    assert not [name for name in errors if any(part in name for part in cut)]
