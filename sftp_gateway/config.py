"""Loading `Settings`: file, then environment, then credentials; unknown keys name the right one.

Found by `--config`, else SFTP_GATEWAY_CONFIG, else /etc/sftp-gateway/gateway.toml, else defaults
(spec §13). `SFTP_GATEWAY_SECTION__KEY` overrides one setting; a secret may come from a file by
`SFTP_GATEWAY_SECTION__KEY_FILE`, `key_file = "…"`, or a systemd credential named `section.key`.
"""

import contextlib
import difflib
import errno
import re
import tempfile
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sftp_gateway import allowed, quantity
from sftp_gateway.errors import ConfigError
from sftp_gateway.settings import Settings

DEFAULT_PATH = Path("/etc/sftp-gateway/gateway.toml")
PREFIX = "SFTP_GATEWAY_"
SECRETS = frozenset({("store", "url"), ("mail", "password")})

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def find(path: str | Path | None, environ: Mapping[str, str]) -> Path | None:
    """Find the configuration file; None: defaults. A named file that is absent is an error."""
    named = path or environ.get(f"{PREFIX}CONFIG")
    file = Path(named or DEFAULT_PATH)
    try:
        if file.is_file():
            return file
    except OSError as error:  # its folder is closed to this user
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    if named:
        raise ConfigError(f"{file}: no such configuration file")
    return None


def load(path: str | Path | None, environ: Mapping[str, str]) -> Settings:
    """Read every setting once. Raises ConfigError naming file (or variable) and key, of all that is wrong."""
    file = find(path, environ)
    wrong = Mistakes()
    raw: dict[str, dict[str, tuple[Any, str]]] = {}
    if file is not None:
        with wrong.noted():
            _from_file(file, raw, wrong)
    _from_credentials(environ, raw, wrong)
    _from_environment(environ, raw, wrong)
    sections = {name: _section(name, hint, raw.get(name, {}), wrong) for name, hint in _sections().items()}
    with wrong.noted():
        _together(sections, raw)
    if wrong:
        raise ConfigError(*wrong)
    return Settings(**sections)


class Mistakes(list[str]):
    """What is wrong with a configuration: reading goes on behind each, so that all are told at once."""

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note the mistake that ends this block."""
        try:
            yield
        except ConfigError as error:
            self.extend(error.mistakes)


def _together(sections: Mapping[str, Any], raw: Mapping[str, Mapping[str, tuple[Any, str]]]) -> None:
    """Raise ConfigError for what only is wrong beside another setting, or for good."""
    if sections["web"].backoffice:
        _, place = raw["web"]["backoffice"]
        raise ConfigError(f"{place}: this version has no backoffice; leave it false")
    mail = sections["mail"]
    if wrong := allowed.in_the_clear(mail.host, mail.user, starttls=mail.starttls):
        raise ConfigError(f"{raw['mail']['user'][1]}: {wrong}")


def changed(before: Settings, after: Settings) -> list[str]:
    """Names `section.key` of the settings that differ, in file order."""
    names = []
    for section in _sections():
        old, new = getattr(before, section), getattr(after, section)
        names += [f"{section}.{name}" for name in old.__struct_fields__ if getattr(old, name) != getattr(new, name)]
    return names


def _sections() -> dict[str, Any]:
    return typing.get_type_hints(Settings)


def _from_file(file: Path, raw: dict[str, dict[str, tuple[Any, str]]], wrong: Mistakes) -> None:
    try:
        parsed = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    for section, values in parsed.items():
        with wrong.noted():
            _known(section, _sections(), str(file), f"section [{section}]")
            if not isinstance(values, dict):
                raise ConfigError(f"{file}: {section}: write it as a section, [{section}], with its keys below")
            for key, value in values.items():
                with wrong.noted():
                    _put(raw, section, key, value, f"{file}: {section}.{key}")


def _from_credentials(environ: Mapping[str, str], raw: dict[str, dict[str, tuple[Any, str]]], wrong: Mistakes) -> None:
    """Take secrets that systemd's LoadCredential= hands over."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    for section, key in sorted(SECRETS) if folder else ():
        credential = Path(str(folder)) / f"{section}.{key}"
        place = f"credential {section}.{key}"
        with wrong.noted():
            if credential.is_file():
                _put(raw, section, key, _secret(credential, place), place)


def _from_environment(environ: Mapping[str, str], raw: dict[str, dict[str, tuple[Any, str]]], wrong: Mistakes) -> None:
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        section, found, key = name.removeprefix(PREFIX).lower().partition("__")
        with wrong.noted():
            if not found:
                _not_ours(name, environ[name])
                continue
            _known(section, _sections(), name, f"section [{section}]")
            _put(raw, section, key, environ[name], name)


def _not_ours(name: str, value: str) -> None:
    """Raise ConfigError where one of our settings was meant; Kubernetes names ports of services so, too."""
    section, _, key = name.removeprefix(PREFIX).lower().partition("_")
    keys = typing.get_type_hints(_sections().get(section, object))
    if (key in keys or (section, key.removesuffix("_file")) in SECRETS) and not value.startswith(("tcp://", "udp://")):
        meant = f"{PREFIX}{section}__{key}".upper()
        raise ConfigError(f"{name}: did you mean {meant}, with two underscores?")


def _put(raw: dict[str, dict[str, tuple[Any, str]]], section: str, key: str, value: Any, place: str) -> None:
    secret_key = key.removesuffix("_file")
    if key != secret_key and (section, secret_key) in SECRETS:
        key, value = secret_key, _secret(Path(str(value)), place)
    raw.setdefault(section, {})[key] = (value, place)


def _secret(file: Path, place: str) -> str:
    """Read a secret from a file of its own; no complaint shows a byte of it."""
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{place}: {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{place}: {file} cannot be read: it is not UTF-8") from None


def _known(name: str, known: Mapping[str, Any], place: str, what: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(sorted(known))
        raise ConfigError(f"{place}: unknown {what}; {hint}")


def _section(name: str, kind: Any, values: dict[str, tuple[Any, str]], wrong: Mistakes) -> Any:
    hints = typing.get_type_hints(kind)
    parsed = {}
    for key, (value, place) in values.items():
        with wrong.noted():
            _known(key, hints, place, f"setting {name}.{key}")
            if (name, key) in SECRETS and not isinstance(value, str):
                raise ConfigError(f"{place}: give a text, in quotes")  # and never shows what it is
            found = _value(key, hints[key], value, place)
            allowed.check(f"{name}.{key}", found, place)
            parsed[key] = found
    return kind(**parsed)


def _value(key: str, hint: Any, value: Any, place: str) -> Any:
    """Turn a TOML value, or the text of a variable, into what the field holds."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    if typing.get_origin(hint) is tuple:
        items = [part for part in re.split(r"[,\s]+", value) if part] if isinstance(value, str) else value
        if not isinstance(items, list):
            raise ConfigError(f"{place}: give a list")
        item_type = typing.get_args(hint)[0]
        return tuple(_value(key, item_type, item, place) for item in items)
    if hint is Path and isinstance(value, str) and value:
        return Path(value)
    if hint is bool:
        return _boolean(value, place)
    if hint in (int, float):
        return _number(key, hint, value, place)
    if hint is str and isinstance(value, str):
        return value
    raise ConfigError(f"{place}: {value!r} is not a {'text' if hint is str else 'path'}")


def _boolean(value: Any, place: str) -> bool:
    text = str(value).lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise ConfigError(f"{place}: {value!r} is neither true nor false")


def _number(key: str, kind: type, value: Any, place: str) -> Any:
    sort = quantity.NUMBER
    if key.endswith("_bytes"):
        sort = quantity.SIZE
    elif key.endswith(("_seconds", "_after")):
        sort = quantity.TIME
    if isinstance(value, bool):
        raise ConfigError(f"{place}: {value!r} is not {sort.example}")
    try:
        number = sort.read(str(value))
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from None
    if kind is int and number != int(number):
        raise ConfigError(f"{place}: {value!r} is not a whole number")
    return kind(number)


def check_closed(root: Path) -> None:
    """Raise ConfigError if other users may read or write storage.root: what lies below it is closed by it alone."""
    if root.stat().st_mode & 0o077:
        raise ConfigError(f"{root} is open to other users; chmod 700 {root}")


def store_url(settings: Settings) -> str:
    """Give the SQLAlchemy URL of the store: as set, else SQLite in storage.root."""
    return settings.store.url or f"sqlite:///{settings.storage.root / 'gateway.db'}"


def drop_folder(settings: Settings) -> Path:
    """Give the folder whose <brand>/{inbox,partial,test} are watched."""
    return settings.intake.drop or settings.storage.root / "drop"


def check_drop(folder: Path) -> None:
    """Raise ConfigError if nothing can be made in the drop folder, or in what it would be made in; leaves nothing there."""
    place = next(there for there in (folder, *folder.parents) if there.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".check-", dir=place):
            pass
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return  # that is of the disk, and passes
        raise ConfigError(
            f"intake.drop: nothing can be made in {place} ({error.strerror}); the gateway's user needs to write there, "
            f"below systemd by ReadWritePaths={folder} as well"
        ) from error
