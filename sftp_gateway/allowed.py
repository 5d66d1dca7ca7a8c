"""What a setting may be beyond its type: numbers in their range, words of a list, networks, addresses. For config."""

import ipaddress
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from sftp_gateway.errors import ConfigError

MOST_PORT = 65535
LEAST_MEMORY_BYTES = 64 << 20
"""A child that only waits for work has some 50 MiB."""
Check = Callable[[Any], str]
"""Says what is wrong with a value; '' if nothing is."""


def _from(least: float, most: float = float("inf")) -> Check:
    upto = "" if most == float("inf") else f" to {most:g}"
    return lambda value: "" if least <= value <= most else f"give a number from {least:g}{upto}"


def _memory(value: float) -> str:
    return "" if value >= LEAST_MEMORY_BYTES else f"give a size from {LEAST_MEMORY_BYTES >> 20} MiB"


def _share(value: float) -> str:
    return "" if 0 <= value <= 1 else "give a share from 0 to 1, such as 0.2 for 20 %"


def _one_of(*words: str) -> Check:
    return lambda value: "" if value.lower() in words else f"give one of {', '.join(words)}"


def _exactly(*words: str) -> Check:
    return lambda value: "" if value in words else f"give one of {', '.join(words)}"


def _proxies(value: tuple[str, ...]) -> str:
    return _networks(tuple(one for one in value if one != "*"))  # as the web server has it: all of them


def _networks(value: tuple[str, ...]) -> str:
    for one in value:
        try:
            ipaddress.ip_network(one, strict=False)
        except ValueError:
            return f"{one!r} is no address or network; give such as 192.0.2.7 or 10.0.0.0/8"
    return ""


def _bucket(value: str) -> str:
    good = not value or re.fullmatch(r"s3://[\w.-]+(/[^/\s]+)*/?", value)
    return "" if good else "give s3://bucket/prefix, or nothing for local disk"


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = not value or (parts.scheme in ("http", "https") and bool(parts.hostname))
    except ValueError:
        good = False
    return "" if good else "give an address such as https://gateway.example.com"


def _mail(value: str) -> str:
    name, _, host = value.partition("@")
    return "" if name and host and not any(map(str.isspace, value)) else "give a mail address"


_PORT, _SOME = _from(0, MOST_PORT), _from(1)
_ALLOWED: dict[str, Check] = {
    "storage.files": _bucket,
    "sftp.port": _PORT,
    "sftp.public_port": _PORT,
    "sftp.algorithms": _exactly("default", "strict", "legacy"),
    "sftp.login_grace_seconds": _SOME,
    "sftp.login_tries": _SOME,
    "sftp.unauthenticated": _SOME,
    "sftp.unauthenticated_per_source": _SOME,
    "sftp.penalty_exempt": _networks,
    "sftp.proxy_protocol_from": _networks,
    "sftp.sessions": _SOME,
    "sftp.sessions_per_brand": _SOME,
    "sftp.channels_per_connection": _SOME,
    "sftp.handles_per_session": _SOME,
    "sftp.idle_seconds": _SOME,
    "sftp.stall_seconds": _SOME,
    "web.port": _PORT,
    "web.public_url": _url,
    "web.trusted_proxies": _proxies,
    "intake.rescan_seconds": _SOME,
    "worker.processes": _SOME,
    "worker.memory_bytes": _memory,
    "worker.threads": _SOME,
    "worker.tries": _SOME,
    "worker.lease_seconds": _SOME,
    "worker.time_limit_seconds": _SOME,
    "limits.max_file_bytes": _SOME,
    # Above 1 a share is never reached, so 20 for 20 % would switch the guard off for every brand; a price may move by more.
    "guards.removal_share": _share,
    "guards.removal_small_share": _share,
    "guards.confirm_agreement": _share,
    "guards.reject_share": _share,
    "guards.key_overlap": _share,
    "guards.key_new": _share,
    "guards.column_emptied": _share,
    "guards.price_share": _share,
    "mail.port": _PORT,
    "mail.sender": _mail,
    "log.level": _one_of("debug", "info", "warning", "error", "critical"),
    "log.format": _one_of("auto", "json", "text"),
}


def check(setting: str, value: Any, place: str) -> None:
    """Raise ConfigError, naming the place, for a value of `section.key` with which the gateway cannot run."""
    wrong = _ALLOWED[setting](value) if setting in _ALLOWED else ""
    if wrong:
        raise ConfigError(f"{place}: {value!r}: {wrong}")


def in_the_clear(host: str, user: str, *, starttls: bool) -> str:
    """Say what is wrong with a login whose password anybody on the way to the mail server could read; '' if nothing is."""
    if not host or not user or starttls or _is_here(host):
        return ""
    return f"the password would go to {host} in the clear; set mail.starttls = true, or leave mail.user empty"


def _is_here(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
