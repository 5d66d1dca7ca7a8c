"""Every error the gateway raises on purpose; the class alone decides the reaction.

    GatewayError
    ├── Refused              the sender must act: a file or a request we do not take          exit 1
    │   ├── Incomplete       the file stops in the middle; it may still be completed          exit 1
    │   └── WrongState       the verb does not apply to the upload's present state            exit 1
    ├── NotFound             no such brand, upload, version or file                           exit 2
    ├── NotAllowed           this person or process may not do that                           exit 77
    ├── ConfigError          a setting, a rule or a key is wrong; names the file and the key  exit 78
    ├── Unavailable          the world is not ready; trying again later helps                 exit 69
    │   ├── StoreUnreachable
    │   └── DiskFull
    ├── LeaseLost            another worker owns this job now; drop the work, write nothing   exit 69
    └── Broken               our fault: a child died, an invariant does not hold              exit 70

The exit code is that of the verb which met the error (spec §9).
"""


class GatewayError(Exception):
    """Base of all; `str()` of it is one clear line for a person."""

    exit_code = 70

    @property
    def outside(self) -> str:
        """What strangers may read of it."""
        return str(self)


class Refused(GatewayError):
    """The sender must act. `code` is a finding code (spec §6) or a guard reason."""

    exit_code = 1

    def __init__(self, code: str, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.suggestion = code, message, suggestion

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process border whole."""
        return type(self), (self.code, self.message, self.suggestion)


class Incomplete(Refused):
    """The bytes stop in mid-file (FILE_INCOMPLETE): kept as `unfinished`, never published."""


class WrongState(GatewayError):
    """The verb does not apply in this state."""

    exit_code = 1


class NotFound(GatewayError):
    """Unknown brand, upload, version or file."""

    exit_code = 2


class NotAllowed(GatewayError):
    """No right to do that."""

    exit_code = 77


class ConfigError(GatewayError):
    """A setting or rule is wrong; the text names file and key. `mistakes`: it, and others that were found with it."""

    exit_code = 78

    def __init__(self, text: str, *others: str) -> None:
        super().__init__(f"{text} (and {len(others)} more; `sftp-gateway check` lists all)" if others else text)
        self.mistakes = (text, *others)


class Unavailable(GatewayError):
    """Trying again later helps. `inside`: what names machines, paths or logins of ours, for logs and operators alone."""

    exit_code = 69

    def __init__(self, text: str, inside: str = "") -> None:
        super().__init__(f"{text}: {inside}" if inside else text)
        self._outside = text

    @property
    def outside(self) -> str:
        """What strangers may read of it."""
        return self._outside


def no_socket(section: str, host: str, port: int, error: OSError) -> Unavailable:
    """Say that a door cannot listen, and which settings (`section`.host, `section`.port) name another place."""
    why = (error.strerror or str(error)).partition(" (while")[0]  # asyncio and socket repeat the address there
    return Unavailable(
        f"cannot listen on {host} port {port}: {why}; `ss -ltnp` shows who listens, "
        f"{section}.host and {section}.port name another address and port"
    )


class StoreUnreachable(Unavailable):
    """The database does not answer."""


class DiskFull(Unavailable):
    """There is no room for the bytes."""


class LeaseLost(GatewayError):
    """The fencing token is stale: another worker owns the job."""

    exit_code = 69


class Broken(GatewayError):
    """Our fault; retried, then `failed`."""

    exit_code = 70
