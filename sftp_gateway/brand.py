"""What a brand is: a company that logs in by SFTP and owns one catalog. No I/O."""

import re
from datetime import datetime

from msgspec import Struct, field

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
BY_POSITION = re.compile(r"#[1-9]\d{0,3}")
"""A column by its number (`#1`), where a brand's files have no header."""


class Guards(Struct, frozen=True):
    """Thresholds of the guards (spec §7); shares are 0..1. Defaults are the gateway's."""

    removal_share: float = 0.20
    removal_products: int = 50
    removal_small_share: float = 0.50
    confirm_after_seconds: int = 600
    confirm_agreement: float = 0.90
    reject_share: float = 0.10
    reject_rows: int = 10
    key_overlap: float = 0.50
    key_new: float = 0.50
    column_emptied: float = 0.50
    price_rows: int = 20
    price_share: float = 0.50
    price_move: float = 0.50


class BrandSettings(Struct, frozen=True):
    """What `brand set NAME KEY=VALUE` may change; an empty string means: find out, or default."""

    columns: dict[str, str] = field(default_factory=dict)
    """catalog column -> the sender's header for it (`columns.sku=Handle`)."""
    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    decimal: str = ""
    """`.` or `,`: the decimal mark of this brand's numbers."""
    date_order: str = ""
    """`dmy`, `mdy` or `ymd`."""
    timezone: str = "UTC"
    sheet: str = ""
    currency: str = ""
    mode: str = ""
    """`full` or `partial`: what a file in /inbox is; empty means full."""
    duplicates: str = "last"
    unknown_columns: str = "ignore"
    name_pattern: str = ""
    marker: str = ""
    """Ending of a marker file this brand always sends (`.done`); empty: none needed."""
    allow_from: str = ""
    """Networks, separated by commas, that this brand may log in from; empty: from anywhere."""
    contact: str = ""
    expect_every: str = ""
    guards: dict[str, float] = field(default_factory=dict)
    """Overrides of `Guards` fields by name."""

    def guard_limits(self, default: Guards) -> Guards:
        """Give the gateway's guard thresholds with this brand's own put over them."""
        values = {name: getattr(default, name) for name in Guards.__struct_fields__}
        for name, value in self.guards.items():
            values[name] = type(values[name])(value)
        return Guards(**values)


class Key(Struct, frozen=True):
    """A public key of a brand; `line` is its OpenSSH text without a comment."""

    fingerprint: str
    line: str
    label: str
    added_at: datetime
    expires_at: datetime | None


class Login(Struct, frozen=True):
    """All that decides who may log in as a brand: `keys` expired ones too, `allow_from` as in the settings."""

    keys: tuple[Key, ...]
    password_hash: str | None = None
    allow_from: str = ""
    enabled: bool = True

    def valid_keys(self, at: datetime) -> list[Key]:
        """Give the keys that let somebody in at a moment: none that is expired, none of a disabled brand."""
        return [key for key in self.keys if self.enabled and (key.expires_at is None or key.expires_at > at)]


class Brand(Struct, frozen=True):
    """A brand as the store knows it; `current_version` 0 means that nothing was published yet."""

    name: str
    enabled: bool
    created_at: datetime
    settings: BrandSettings
    current_version: int = 0
