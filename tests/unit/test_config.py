"""Settings: found, read, complained about."""

import os
import re
from pathlib import Path

import pytest
from msgspec import structs

from sftp_gateway import config, settings
from sftp_gateway.brand import Guards
from sftp_gateway.errors import ConfigError
from sftp_gateway.settings import MIB, Settings
from sftp_gateway.sftp import algorithms, limits

SHARES = [name for name, value in structs.asdict(Guards()).items() if value < 1 and name != "price_move"]


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    return config.load(file, environ or {})


def test_the_shipped_file_holds_every_default():
    assert config.load(settings.shipped("gateway.toml"), {}) == Settings()


def test_the_shipped_file_names_every_setting():
    text = settings.shipped("gateway.toml").read_text()
    for section in structs.fields(Settings):
        body = text.split(f"\n[{section.name}]", 1)[1].split("\n[", 1)[0]
        for setting in structs.fields(getattr(Settings(), section.name)):
            assert re.search(rf"^(# )?{setting.name} = ", body, re.MULTILINE), f"{section.name}.{setting.name}"


def test_a_file_with_only_the_root_is_enough(tmp_path):
    assert load(tmp_path, '[storage]\nroot = "/srv/x"\n').storage.root == Path("/srv/x")


def test_sizes_and_times_take_units(tmp_path):
    settings = load(
        tmp_path,
        '[limits]\nmax_file_bytes = "1.5 MiB"\n[intake]\nsettle_seconds = "250 ms"\nincomplete_after="2 minutes"',
    )
    assert settings.limits.max_file_bytes == int(1.5 * MIB)
    assert settings.intake.settle_seconds == 0.25
    assert settings.intake.incomplete_after == 120.0


def test_the_environment_overrides_the_file(tmp_path):
    settings = load(
        tmp_path,
        "[sftp]\nport = 1\n",
        {"SFTP_GATEWAY_SFTP__PORT": "22", "SFTP_GATEWAY_WEB__TRUSTED_PROXIES": "10.0.0.1, ::1"},
    )
    assert settings.sftp.port == 22
    assert settings.web.trusted_proxies == ("10.0.0.1", "::1")


def test_secrets_come_from_files_and_credentials(tmp_path):
    (tmp_path / "secret").write_text("hunter2\n")
    (tmp_path / "store.url").write_text("postgresql+psycopg://x\n")
    settings = load(
        tmp_path, f'[mail]\npassword_file = "{tmp_path}/secret"\n', {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    )
    assert settings.mail.password == "hunter2"
    assert settings.store.url == "postgresql+psycopg://x"
    assert "hunter2" not in repr(settings)


def test_all_mistakes_are_told_and_the_first_with_how_many_more_there_are(tmp_path):
    text = '[sftp]\nprot = 22\nport = "x"\nidle_seconds = 5\n[stfp]\nport = 1\n[mail]\nport = 70000\npassword = 5\n'
    environ = {"SFTP_GATEWAY_WEB__PORT": "-1", "SFTP_GATEWAY_LOG__LEVEL": "loud", "SFTP_GATEWAY_SFTP_PORT": "1"}
    with pytest.raises(ConfigError) as told:
        load(tmp_path, text, environ)
    places = [
        "sftp.prot",
        "sftp.port",
        "[stfp]",
        "mail.port",
        "mail.password",
        "_WEB__PORT",
        "_LOG__LEVEL",
        "_SFTP_PORT",
    ]
    for place in places:
        assert sum(place in mistake for mistake in told.value.mistakes) == 1, place
    assert len(told.value.mistakes) == len(places)
    assert str(told.value) == f"{told.value.mistakes[0]} (and 7 more; `sftp-gateway check` lists all)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sftp]\nprot = 22\n", "unknown setting sftp.prot; did you mean port?"),
        ("[stfp]\nport = 22\n", "unknown section [stfp]; did you mean sftp?"),
        ('[sftp]\nport = "x"\n', "sftp.port: 'x' is not a number"),
        ('[limits]\nquota_bytes = "5 parsec"\n', "'parsec' is no unit known here"),
        ('[mail]\nstarttls = "perhaps"\n', "neither true nor false"),
        ("[sftp]\nport = 2.5\n", "not a whole number"),
        ("sftp = 3\n", "write it as a section"),
        ("[sftp\n", "not valid TOML"),
        ("[sftp]\nhost_keys = 3\n", "give a list"),
        ("[sftp]\nhost = 3\n", "is not a text"),
        ('[mail]\npassword_file = "/nowhere"\n', "/nowhere cannot be read"),
        ('[mail]\npassword_file = "/bin/true"\n', "mail.password_file: /bin/true cannot be read: it is not UTF-8"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path, text, said):
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "gateway.toml") in str(caught.value)


@pytest.mark.parametrize(
    "line", ["password = 48151623", "password = ['48151623']", "password = { a = 48151623 }", "password = true"]
)
def test_a_secret_of_the_wrong_type_is_not_printed(tmp_path, line):
    """A reload puts the complaint into the log."""
    with pytest.raises(ConfigError, match=r"mail\.password: give a text, in quotes$") as complaint:
        load(tmp_path, f"[mail]\n{line}\n")
    assert "48151623" not in str(complaint.value)
    with pytest.raises(ConfigError, match=r"store\.url: give a text, in quotes$"):
        load(tmp_path, f"[store]\n{line.replace('password', 'url')}\n")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("STORAGE_ROOT", "STORAGE__ROOT"),
        ("WEB_PORT", "WEB__PORT"),
        ("LIMITS_MAX_FILE_BYTES", "LIMITS__MAX_FILE_BYTES"),
        ("MAIL_PASSWORD_FILE", "MAIL__PASSWORD_FILE"),
    ],
)
def test_a_variable_with_one_underscore_is_not_ignored(written, meant):
    said = f"SFTP_GATEWAY_{written}: did you mean SFTP_GATEWAY_{meant}, with two underscores?"
    with pytest.raises(ConfigError, match=re.escape(said)):
        config.load(None, {f"SFTP_GATEWAY_{written}": "8080"})


def test_variables_that_others_name_after_us_are_none_of_ours():
    """Kubernetes makes such ones of services that are called sftp-gateway and sftp-gateway-web."""
    others = {"PORT": "tcp://10.0.0.1:22", "SERVICE_HOST": "10.0.0.1", "PORT_2222_TCP_PORT": "2222", "IMAGE": "x"}
    others |= {"WEB_PORT": "tcp://10.0.0.1:80", "WEB_SERVICE_PORT": "80", "WEB_PORT_80_TCP_ADDR": "10.0.0.1"}
    assert config.load(None, {f"SFTP_GATEWAY_{name}": value for name, value in others.items()}) == Settings()


def test_a_credential_that_is_no_text_or_not_to_be_read_is_named(tmp_path):
    secret = tmp_path / "mail.password"
    secret.write_bytes(b"hunter\xff")
    with pytest.raises(
        ConfigError, match=r"credential mail\.password: \S+/mail\.password cannot be read: it is not UTF-8"
    ):
        config.load(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_wrong_variable_is_named():
    with pytest.raises(
        ConfigError, match=re.escape("SFTP_GATEWAY_SFTP__PROT: unknown setting sftp.prot; did you mean port?")
    ):
        config.load(None, {"SFTP_GATEWAY_SFTP__PROT": "1"})


def test_a_named_file_that_is_absent_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no such configuration file"):
        config.load(tmp_path / "absent.toml", {})
    with pytest.raises(ConfigError, match="no such configuration file"):
        config.load(None, {"SFTP_GATEWAY_CONFIG": str(tmp_path / "absent.toml")})


@pytest.mark.parametrize("is_named", [True, False])
def test_a_file_in_a_folder_closed_to_this_user_is_told_as_that(tmp_path, monkeypatch, is_named):
    (closed := tmp_path / "etc").mkdir()
    (file := closed / "gateway.toml").touch()
    closed.chmod(0)
    monkeypatch.setattr(config, "DEFAULT_PATH", file)
    me = os.geteuid()
    os.seteuid(me or 65534)  # nothing is closed to root
    try:
        with pytest.raises(ConfigError, match=f"^{re.escape(str(file))}: cannot be read: Permission denied$"):
            config.load(file if is_named else None, {})
    finally:
        os.seteuid(me)
        closed.chmod(0o700)


def test_changed_settings_are_named(tmp_path):
    after = load(tmp_path, '[sftp]\nport = 22\n[log]\nlevel = "debug"\n')
    assert config.changed(Settings(), after) == ["sftp.port", "log.level"]


@pytest.mark.parametrize(
    ("section", "line", "hint"),
    [
        ("worker", "processes = 0", "from 1"),
        ("worker", 'memory_bytes = "63 MiB"', "from 64 MiB"),
        *[
            ("sftp", f'{name} = "500 ms"', "from 1")
            for name in ("login_grace_seconds", "idle_seconds", "stall_seconds")
        ],
        *[("sftp", f"{name} = 0", "from 1") for name in ("unauthenticated", "unauthenticated_per_source")],
        ("intake", "rescan_seconds = 0", "from 1"),
        ("worker", "time_limit_seconds = 0", "from 1"),
        ("limits", "max_file_bytes = 0", "from 1"),
        *[
            ("storage", f'files = "{url}"', "s3://bucket/prefix")
            for url in ("gs://b/p", "s3://", "s3:///p", "s3://b//p")
        ],
        ("web", "port = 70000", "from 0 to 65535"),
        ("log", 'level = "loud"', "one of debug"),
        ("log", 'format = "xml"', "one of auto"),
        ("web", 'trusted_proxies = ["banana"]', "network"),
        ("web", 'trusted_proxies = "[\\"127.0.0.1\\"]"', "network"),
        ("web", 'public_url = "not a url"', "https://"),
        ("web", 'public_url = "https://[::1"', "https://"),
        ("mail", 'sender = "no"', "mail address"),
        ("web", "backoffice = true", "no backoffice"),
        ("sftp", 'penalty_exempt = ["10.0.0.0/88"]', "network"),
        ("sftp", 'penalty_exempt = ["*"]', "network"),
        ("sftp", 'proxy_protocol_from = ["balancer"]', "network"),
        ("sftp", 'algorithms = "strikt"', "one of default, strict, legacy"),
        ("sftp", 'algorithms = "Strict"', "one of default, strict, legacy"),
        *[("guards", f"{name} = 20", "a share from 0 to 1, such as 0.2") for name in SHARES],
    ],
)
def test_a_value_with_which_nothing_can_run_is_told_with_file_and_key(tmp_path, section, line, hint):
    """`check` says so; before, the daemon died of it."""
    with pytest.raises(ConfigError, match=hint) as complaint:
        load(tmp_path, f"[{section}]\n{line}\n")
    assert str(complaint.value).startswith(f"{tmp_path}/gateway.toml: {section}.{line.partition(' ')[0]}: ")


def test_what_the_front_door_can_run_with_is_taken(tmp_path):
    for name in algorithms.PROFILES:
        assert load(tmp_path, f'[sftp]\nalgorithms = "{name}"\n').sftp.algorithms == name
    networks = ("192.0.2.7", "10.0.0.1/8", "::1", "2001:db8::/32")
    found = load(tmp_path, f"[sftp]\npenalty_exempt = {list(networks)}\nproxy_protocol_from = {list(networks)}\n").sftp
    assert (found.penalty_exempt, found.proxy_protocol_from) == (networks, networks)
    assert len(limits.networks(networks, "sftp.penalty_exempt")) == 4


def test_every_share_of_a_guard_may_be_all_or_nothing_and_a_price_may_move_by_more_than_all(tmp_path):
    assert len(SHARES) == 8
    for share in ("0", "1", "1.0"):
        load(tmp_path, "[guards]\n" + "".join(f"{name} = {share}\n" for name in SHARES))
    assert load(tmp_path, "[guards]\nprice_move = 2\n").guards.price_move == 2.0


@pytest.mark.parametrize(("host", "more", "fits"), [
    ("mail.example.com", "", False),
    ("192.0.2.7", "", False),
    ("mail.example.com", "starttls = true", True),
    ("localhost", "", True),
    ("127.0.0.1", "", True),
    ("::1", "", True),
    ("", "", True),
])  # fmt: skip
def test_no_password_goes_to_a_mail_server_in_the_clear(tmp_path, host, more, fits):
    text = f'[mail]\nhost = "{host}"\nuser = "gateway"\npassword = "secret"\n{more}\n'
    if fits:
        assert load(tmp_path, text).mail.user == "gateway"
        return
    with pytest.raises(ConfigError, match=r"mail\.user: .*in the clear.*mail\.starttls") as complaint:
        load(tmp_path, text)
    assert "secret" not in str(complaint.value)
