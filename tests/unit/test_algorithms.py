"""The three lists of algorithms: what is in them, and that something always is."""

import pytest
from msgspec import structs

from sftp_gateway import errors
from sftp_gateway.sftp import algorithms

WEAK = ("sha1", "cbc", "nistp", "group14", "group-exchange", "md5", "arcfour", "3des", "dss")


@pytest.mark.parametrize("name", ["default", "strict"])
def test_nothing_weak_is_spoken(name):
    profile = algorithms.profile(name)
    for part in (profile.kex, profile.encryption, profile.mac, profile.host_keys):
        assert not [each for each in part if any(word in each for word in WEAK)]
    assert "ssh-rsa" not in profile.host_keys + profile.client_keys
    assert not [each for each in profile.encryption if "chacha20" in each]


def test_strict_key_exchange_is_post_quantum_and_macs_are_encrypt_then_mac():
    profile = algorithms.profile("strict")
    assert profile.kex == ("mlkem768x25519-sha256",)
    assert all("etm" in each for each in profile.mac)


def test_plain_macs_for_old_curl_stand_last():
    assert algorithms.profile("default").mac[-2:] == ("hmac-sha2-256", "hmac-sha2-512")


def test_legacy_adds_to_default_and_takes_nothing_away():
    default, legacy = algorithms.profile("default"), algorithms.profile("legacy")
    for field in structs.fields(default):
        if field.name != "least_rsa_bits":
            mine, theirs = getattr(default, field.name), getattr(legacy, field.name)
            assert theirs[: len(mine)] == mine


def test_what_the_machine_no_longer_has_is_left_out(monkeypatch):
    monkeypatch.setattr(algorithms, "get_kex_algs", lambda: [b"curve25519-sha256"])
    assert algorithms.profile("default").kex == ("curve25519-sha256",)


def test_a_door_that_could_open_to_nobody_is_a_config_error(monkeypatch):
    monkeypatch.setattr(algorithms, "get_kex_algs", list)
    with pytest.raises(errors.ConfigError, match="no kex algorithm of 'strict'"):
        algorithms.profile("strict")


def test_an_unknown_profile_is_named():
    with pytest.raises(errors.ConfigError, match="'fast' is none of default, strict, legacy"):
        algorithms.profile("fast")
