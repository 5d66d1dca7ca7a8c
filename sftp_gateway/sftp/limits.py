"""Who is kept out: penalties for guessing, room for those who are not logged in yet, seats for those who are.

Pure bookkeeping: the clock comes in as an argument, nothing here touches a socket. A *source* is an
IPv4 address or an IPv6 /64 network, because that is what one host can change at will.
"""

import ipaddress
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from sftp_gateway import errors

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(texts: Sequence[str], setting: str) -> tuple[Network, ...]:
    """Parse CIDR texts, IPv4 in IPv6 clothes as IPv4; raise `ConfigError` naming the setting and the text that is wrong."""
    try:
        return tuple(_plain_network(ipaddress.ip_network(text, strict=False)) for text in texts)
    except ValueError as exc:
        raise errors.ConfigError(f"{setting}: {exc}") from None


def _plain_network(net: Network) -> Network:
    mapped = net.network_address.ipv4_mapped if isinstance(net, ipaddress.IPv6Network) else None
    if mapped is None or net.prefixlen < 96:
        return net
    return ipaddress.IPv4Network((mapped, net.prefixlen - 96))


def plain_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address, an IPv4 one in IPv6 clothes as IPv4; None for a peer without one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def source_of(address: str) -> str:
    """Name the source that an address belongs to."""
    ip = plain_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip) if ip else address


def is_in(address: str, nets: Sequence[Network]) -> bool:
    """Whether the address lies in one of the networks."""
    ip = plain_address(address)
    return ip is not None and any(ip in net for net in nets)


class Record(Struct):
    """What a source has to its name: offences so far, until when it stays out, the brand it tried last."""

    level: int
    until: float
    brand: str = ""


class Penalties:
    """How long a source stays out after failed logins.

    The first offence costs `first_seconds`, each further one twice the last, up to
    `longest_seconds`. Offences during a running penalty come from connections that were already
    there and do not add up. A login that succeeds lifts the penalty and halves the level; so does
    each `longest_seconds` of quiet, by one. At most `most_sources` are remembered, oldest out first.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        first_seconds: float = 5.0,
        longest_seconds: float = 600.0,
        most_sources: int = 10_000,
    ) -> None:
        self._clock = clock
        self._first, self._longest, self._most = first_seconds, longest_seconds, most_sources
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._changed: set[str] = set()

    def remaining(self, source: str) -> float:
        """Give the seconds that the source still has to stay out; 0 if it may come."""
        record = self._records.get(source)
        return max(0.0, record.until - self._clock()) if record else 0.0

    def offend(self, source: str, brand: str = "") -> float:
        """Note a failed login; give the seconds of a penalty that begins now, 0 if one runs already."""
        now = self._clock()
        record = self._records.pop(source, None) or Record(0, now)
        self._records[source] = record
        if len(self._records) > self._most:
            self._records.popitem(last=False)
        if record.until > now:
            return 0.0
        record.level = max(0, record.level - int((now - record.until) // self._longest)) + 1
        # The exponent is capped: an attacker's thousandth offence must not overflow a float.
        seconds = min(self._longest, self._first * 2.0 ** min(record.level - 1, 30))
        record.level = min(record.level, 1 + math.ceil(math.log2(self._longest / self._first)))
        record.until, record.brand = now + seconds, brand
        self._changed.add(source)
        return seconds

    def forgive(self, source: str) -> None:
        """Note a login that succeeded."""
        record = self._records.pop(source, None)
        if record is None:
            return
        self._changed.add(source)
        if record.level > 1:
            self._records[source] = Record(record.level // 2, self._clock(), record.brand)

    def changes(self) -> dict[str, Record | None]:
        """Give what changed since the last call; None for a source that has nothing to its name any more."""
        changed, self._changed = self._changed, set()
        return {source: self._records.get(source) for source in changed}

    def again(self, sources: Iterable[str]) -> None:
        """Give these among the next changes too: they could not be told."""
        self._changed.update(sources)

    def agree(self, known: Mapping[str, Record], unchanged: Collection[str] = ()) -> int:
        """Take over what everybody knows, but for what changed here meanwhile; give how many were lifted.

        `unchanged`: what was known so before. It ends when it was to end, whatever clock was set since.
        """
        lifted = [source for source in self._records if source not in known and source not in self._changed]
        for source in lifted:
            del self._records[source]
        longest = self._clock() + self._longest
        for source, record in known.items():
            if source not in self._changed and not (source in unchanged and source in self._records):
                self._records[source] = replace(record, until=min(record.until, longest))
        return len(lifted)

    def running(self) -> dict[str, float]:
        """List the sources that are out now, with the seconds left."""
        now = self._clock()
        return {source: record.until - now for source, record in self._records.items() if record.until > now}


class Lobby(Generic[T]):
    """Room for connections that have not logged in yet.

    A source may hold `per_source` of them. When all `total` places are taken, the newcomer still
    gets in and the oldest of the source that holds most goes: whoever floods evicts itself, and a
    client that logs in within a second is never the oldest of the largest.
    """

    def __init__(self, total: int, per_source: int) -> None:
        self._total, self._per_source = total, per_source
        self._places: OrderedDict[T, str] = OrderedDict()
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._places)

    def is_full(self, source: str) -> bool:
        """Whether a source holds all the places it may have."""
        return self._held[source] >= self._per_source

    def enter(self, who: T, source: str) -> T | None:
        """Let a newcomer in; give who had to go for it."""
        evicted = self._oldest_of_the_largest() if len(self._places) >= self._total else None
        if evicted is not None:
            self.leave(evicted)
        self._places[who] = source
        self._held[source] += 1
        return evicted

    def leave(self, who: T) -> None:
        """Free the place of one that logged in, left or was evicted; unknown ones are no matter."""
        source = self._places.pop(who, None)
        if source is None:
            return
        self._held[source] -= 1
        if not self._held[source]:
            del self._held[source]

    def waiting(self) -> list[T]:
        """List everybody who is here, oldest first."""
        return list(self._places)

    def _oldest_of_the_largest(self) -> T | None:
        if not self._held:
            return None
        largest, _ = max(self._held.items(), key=lambda item: item[1])
        return next(who for who, source in self._places.items() if source == largest)


class Seats:
    """Room for connections that are logged in: in total and for one brand."""

    def __init__(self, total: int, per_brand: int) -> None:
        self._total, self._per_brand = total, per_brand
        self._taken: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._taken.total()

    def take(self, brand: str) -> str:
        """Take a seat; give the refusal as a text for the client, or an empty string."""
        if self._taken[brand] >= self._per_brand:
            return f"{brand} already has {self._per_brand} connections open; close one and try again"
        if self._taken.total() >= self._total:
            return "The gateway is full; try again in a minute"
        self._taken[brand] += 1
        return ""

    def give_back(self, brand: str) -> None:
        """Free a seat that was taken."""
        self._taken[brand] -= 1
        if self._taken[brand] <= 0:
            del self._taken[brand]
