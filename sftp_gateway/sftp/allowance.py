"""What a brand may still write, and sizes as people say them."""

from sftp_gateway import errors, settings


class Allowance:
    """What a brand may still write: bytes and files of everything in its writable directories.

    Kept by the one process that holds the brand's sessions, changed without a pause between the
    question and the taking, so it is exact to the byte however many handles write.
    """

    def __init__(self, limits: settings.Limits) -> None:
        self.limits = limits
        self.used_bytes = 0
        self.used_files = 0

    def resize(self, old: int, new: int) -> None:
        """Take (or give back) what a file of `old` bytes needs to have `new`; Refused if there is no room."""
        if new > old:
            self.check(new - old, new)
        self.used_bytes += new - old

    def check(self, more: int, size: int) -> None:
        """Raise Refused if a file of `size` bytes, `more` of them new, may not be."""
        if size > self.limits.max_file_bytes:
            raise errors.Refused(
                "FILE_TOO_LARGE",
                f"The file is larger than the {in_units(self.limits.max_file_bytes)} that one file may have",
                "Send it in parts, to /partial",
            )
        if self.used_bytes + more > self.limits.quota_bytes:
            raise errors.Refused(
                "quota_exceeded",
                f"Quota exceeded: {in_units(self.used_bytes)} of {in_units(self.limits.quota_bytes)} are in use",
                "Remove files you no longer need from /inbox, /partial and /test",
            )

    def check_files(self) -> None:
        """Raise Refused if not one more file or directory may be."""
        if self.used_files >= self.limits.quota_files:
            raise errors.Refused(
                "quota_exceeded",
                f"Quota exceeded: {self.used_files} files and directories, and no more than that may be kept",
                "Remove files you no longer need from /inbox, /partial and /test",
            )


def in_units(size: int) -> str:
    """Say a number of bytes as a person would."""
    value, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:,.1f} {unit}".replace(".0 ", " ")
