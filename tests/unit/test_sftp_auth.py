"""Keys and passwords as text: what a person pastes, and what is wrong with it."""

import datetime as dt

import argon2
import asyncssh
import pytest

from sftp_gateway import errors
from sftp_gateway.sftp import auth

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def key():
    return asyncssh.generate_private_key("ssh-ed25519", comment="buyer@acme")


@pytest.mark.parametrize("form", ["openssh", "rfc4716", "pkcs8-pem"])
def test_a_public_key_is_read_in_every_usual_form(key, form):
    read = auth.parse_public_key(key.export_public_key(form).decode(), now=NOW)
    assert read.line == " ".join(key.export_public_key().decode().split()[:2])
    assert read.fingerprint == key.get_fingerprint()
    assert read.added_at == NOW
    assert read.expires_at is None


def test_the_comment_is_the_label_unless_one_is_given(key):
    text = key.export_public_key().decode()
    assert auth.parse_public_key(text).label == "buyer@acme"
    assert auth.parse_public_key(text, label="office").label == "office"


def test_a_comment_cannot_carry_control_characters(key):
    line = key.export_public_key().decode().split()
    assert auth.parse_public_key(f"{line[0]} {line[1]} a\x1b[31mb").label == "a [31mb"


def test_a_private_key_is_turned_down_before_anything_else(key):
    for form in ("openssh", "pkcs8-pem"):
        with pytest.raises(errors.Refused, match="private key"):
            auth.parse_public_key(key.export_private_key(form).decode())
    with pytest.raises(errors.Refused, match="private key"):
        auth.parse_public_key("PuTTY-User-Key-File-3: ssh-ed25519\n")


def test_weak_and_unknown_keys_are_named():
    short = asyncssh.generate_private_key("ssh-rsa", key_size=1024).export_public_key().decode()
    with pytest.raises(errors.Refused, match="2048 bits"):
        auth.parse_public_key(short)
    with pytest.raises(errors.Refused, match="ssh-dss keys are not accepted"):
        auth.parse_public_key(asyncssh.generate_private_key("ssh-dss").export_public_key().decode())
    for text in ("", "hello", "ssh-ed25519 AAAA"):
        with pytest.raises(errors.Refused, match="not a public SSH key"):
            auth.parse_public_key(text)


def test_several_keys_are_added_one_by_one(key):
    line = key.export_public_key().decode()
    with pytest.raises(errors.Refused, match="several keys"):
        auth.parse_public_key(line + line)


def test_a_password_is_stored_as_argon2id():
    known = auth.hash_password("correct horse")
    assert known.startswith("$argon2id$")
    assert auth._verify(known, "correct horse")
    assert not auth._verify(known, "wrong")
    assert not auth._verify("no hash at all", "wrong")


def test_a_brand_that_is_unknown_costs_a_try_as_much_as_one_that_is_known():
    assert argon2.extract_parameters(auth.DUMMY) == argon2.extract_parameters(auth.hash_password("of a brand"))
    with pytest.raises(argon2.exceptions.VerifyMismatchError):  # which is told only after all of the work
        auth.HASHER.verify(auth.DUMMY, "a guess")
