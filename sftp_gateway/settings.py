"""gateway.toml and the environment → one frozen value; complaints name the file and the key.

Sizes are bytes, times seconds. Parts get the few values they need, never the whole of `Settings`.
"""

from pathlib import Path

from msgspec import Struct

from sftp_gateway.brand import Guards

KIB, MIB, GIB = 1024, 1024**2, 1024**3
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def shipped(name: str) -> Path:
    """Give the path of a file of config/ that comes with the gateway (in a wheel, or in the checkout)."""
    inside = Path(__file__).parent / "shipped" / name
    return inside if inside.exists() else Path(__file__).parent.parent / "config" / name


class Storage(Struct, frozen=True):
    """Where everything lives."""

    root: Path = Path("/var/lib/sftp-gateway")
    files: str = ""
    """`s3://bucket/prefix`, or empty: blobs, catalog and results on local disk under `root`."""


class StoreSettings(Struct, frozen=True):
    """Which database."""

    url: str = ""
    """SQLAlchemy URL; empty: SQLite at `storage.root`/gateway.db."""


class Sftp(Struct, frozen=True):
    """The front door: address, algorithms, who is kept out, how many may be in."""

    host: str = "0.0.0.0"  # noqa: S104 - the front door faces the brands
    port: int = 2222
    public_host: str = ""
    """What README.txt, `brand add` and the pages tell brands to connect to; empty: this host's name."""
    public_port: int = 0
    host_keys: tuple[Path, ...] = ()
    """Empty: an ed25519 key is made at `storage.root`/keys at the first start."""
    algorithms: str = "default"
    login_grace_seconds: float = 30.0
    login_tries: int = 4
    unauthenticated: int = 100
    unauthenticated_per_source: int = 10
    penalty_exempt: tuple[str, ...] = ()
    """Networks (CIDR) that are never penalised: monitors, load balancers."""
    sessions: int = 500
    sessions_per_brand: int = 20
    channels_per_connection: int = 10
    handles_per_session: int = 64
    idle_seconds: float = 900.0
    stall_seconds: float = 300.0
    keepalive_seconds: float = 30.0
    proxy_protocol_from: tuple[str, ...] = ()


class Web(Struct, frozen=True):
    """The status endpoint."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    backoffice: bool = False


class Intake(Struct, frozen=True):
    """When a file is finished, and how long it stays visible."""

    settle_seconds: float = 1.0
    quiet_seconds: float = 5.0
    rescan_seconds: float = 30.0
    incomplete_after: float = 15 * MINUTE
    abandoned_after: float = 24 * HOUR
    visible_after: float = 24 * HOUR
    drop: Path | None = None
    """None: `storage.root`/drop."""
    temporary_prefixes: tuple[str, ...] = (".", "~")
    temporary_suffixes: tuple[str, ...] = (
        *(".tmp", ".temp", ".part", ".partial", ".filepart"),
        *(".uploading", ".crdownload", ".swp"),
    )
    temporary_patterns: tuple[str, ...] = ("*.ocTransferId*.part",)


class Worker(Struct, frozen=True):
    """How uploads are worked on."""

    processes: int = 2
    memory_bytes: int = GIB
    small_bytes: int = 16 * MIB
    threads: int = 2
    tries: int = 3
    backoff_seconds: float = 5.0
    lease_seconds: float = 20.0
    time_limit_seconds: float = 2 * HOUR


class Limits(Struct, frozen=True):
    """How much a brand may have lying here."""

    max_file_bytes: int = 10 * GIB
    quota_bytes: int = 20 * GIB
    quota_files: int = 10_000
    disk_floor_bytes: int = 512 * MIB


class Mail(Struct, frozen=True):
    """How contacts are told."""

    host: str = ""
    """Empty: no mail is sent."""
    port: int = 25
    starttls: bool = False
    user: str = ""
    password: str = ""
    sender: str = "sftp-gateway@localhost"

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"Mail({self.host}:{self.port}, {self.user!r})"


class Retention(Struct, frozen=True):
    """How long bytes, results and versions are kept."""

    sources_seconds: float = 90 * DAY
    results_seconds: float = 90 * DAY
    home_seconds: float = 30 * DAY
    versions: int = 30


class Catalog(Struct, frozen=True):
    """Which columns and rules."""

    rules: Path | None = None
    """None: the catalog.toml that comes with the gateway."""


class Log(Struct, frozen=True):
    """What is logged, and how."""

    level: str = "info"
    format: str = "auto"
    """`auto` (JSON when not on a terminal), `json` or `text`."""


class Settings(Struct, frozen=True):
    """Every section; `config.load` makes it."""

    storage: Storage = Storage()
    store: StoreSettings = StoreSettings()
    sftp: Sftp = Sftp()
    web: Web = Web()
    intake: Intake = Intake()
    worker: Worker = Worker()
    limits: Limits = Limits()
    guards: Guards = Guards()
    mail: Mail = Mail()
    retention: Retention = Retention()
    catalog: Catalog = Catalog()
    log: Log = Log()
