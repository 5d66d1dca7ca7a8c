"""The catalog rules in force in this process: read at its start and by SIGHUP, and by nothing between.

Whoever saves catalog.toml is not done before SIGHUP took it: until then, and where it was refused, all go by the
rules as they were. Serves workshop and loans.
"""

from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.settings import Settings
from sftp_gateway.worker import slots
from sftp_gateway.worker.turn import Terms


class Rules:
    """`terms` is what uploads are judged by, `schema` what columns mean; ConfigError where the file has a mistake."""

    def __init__(self, settings: Settings) -> None:
        self.terms = self.read(settings)

    def read(self, settings: Settings) -> Terms:
        """Load what these settings mean, and change nothing; ConfigError."""
        return slots.terms(settings)

    def take(self, terms: Terms) -> list[str]:
        """Go by these from now on; names the settings that this changed."""
        before, self.terms = self.terms, terms
        return ["catalog.rules"] if terms.schema.digest != before.schema.digest else []

    def schema(self) -> Schema:
        """Give the columns and rules of now."""
        return self.terms.schema
