"""What goes wrong while a verb runs, logged as text. Light at import: every verb begins with it."""


def warnings() -> None:
    """Log what goes wrong, as text."""
    from sftp_gateway import logs  # noqa: PLC0415 - structlog and asyncio take 0.05 s, and `ingest` starts its children before

    logs.configure("warning", "text")
