"""Host keys: made once, private, without SHA-1."""

import concurrent.futures
import stat

import asyncssh
import pytest

from sftp_gateway import errors
from sftp_gateway.sftp import hostkeys


def test_the_first_start_makes_a_private_ed25519_key_and_the_next_keeps_it(tmp_path):
    folder = tmp_path / "keys"
    path = hostkeys.ensure(folder)
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert asyncssh.read_private_key(path).get_algorithm() == "ssh-ed25519"
    assert hostkeys.ensure(folder).read_bytes() == before
    assert [each.name for each in folder.iterdir()] == [hostkeys.NAME]


def test_of_starts_at_the_same_time_one_key_is_left(tmp_path):
    def load(_):
        return hostkeys.fingerprints(hostkeys.load([], tmp_path))[0]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load, range(16)))) == 1
    assert [each.name for each in tmp_path.iterdir()] == [hostkeys.NAME]


def write(path, *args, **options):
    path.write_bytes(asyncssh.generate_private_key(*args, **options).export_private_key())
    path.chmod(0o600)
    return path


def test_an_rsa_key_never_signs_with_sha1(tmp_path):
    [pair] = hostkeys.load([write(tmp_path / "rsa", "ssh-rsa", key_size=3072)], tmp_path)
    assert pair.host_key_algorithms == [b"rsa-sha2-512", b"rsa-sha2-256"]
    assert pair.sign(b"x")[4:16] == b"rsa-sha2-512"


def test_legacy_lets_an_rsa_key_sign_with_sha1_last(tmp_path):
    [pair] = hostkeys.load([write(tmp_path / "rsa", "ssh-rsa", key_size=2048)], tmp_path, "legacy")
    assert pair.host_key_algorithms[-1] == b"ssh-rsa"


@pytest.mark.parametrize(("profile", "bits"), [("default", 1024), ("strict", 2048)])
def test_a_short_rsa_key_is_refused(tmp_path, profile, bits):
    with pytest.raises(errors.ConfigError, match="needs at least"):
        hostkeys.load([write(tmp_path / "rsa", "ssh-rsa", key_size=bits)], tmp_path, profile)


def test_a_type_the_profile_does_not_sign_with_is_refused(tmp_path):
    with pytest.raises(errors.ConfigError, match="no host key type"):
        hostkeys.load([write(tmp_path / "ec", "ecdsa-sha2-nistp256")], tmp_path)


def test_a_key_open_to_others_is_refused(tmp_path):
    path = write(tmp_path / "key", "ssh-ed25519")
    path.chmod(0o640)
    with pytest.raises(errors.ConfigError, match="chmod 600"):
        hostkeys.load([path], tmp_path)


@pytest.mark.parametrize("text", [b"", b"not a key"])
def test_a_file_that_is_no_key_is_named(tmp_path, text):
    path = tmp_path / "key"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(errors.ConfigError, match=str(path)):
        hostkeys.load([path], tmp_path)
    with pytest.raises(errors.ConfigError, match="absent"):
        hostkeys.load([tmp_path / "absent"], tmp_path)


def test_fingerprints_are_those_of_ssh_keygen(tmp_path):
    path = hostkeys.ensure(tmp_path)
    expected = asyncssh.read_private_key(path).get_fingerprint()
    assert hostkeys.fingerprints(hostkeys.load([path], tmp_path)) == [expected]
