"""The client matrix: which client, which scenario, by which of a driver's methods; and docs/clients.md made from a run."""

from dataclasses import dataclass

from tests.clients import curl, lftp, libraries, libssh2, mounted, node, openssh, psftp, rclone, replayed, wrappers

CLIENTS: tuple[type, ...] = (
    openssh.Sftp, openssh.Scp, lftp.Lftp, curl.Curl, psftp.Psftp, rclone.Rclone, libraries.Paramiko,
    wrappers.Sftpretty, libraries.Asyncssh, libssh2.Libssh2, node.NodeClient, mounted.Sshfs, wrappers.FsspecSftp,
    wrappers.FsspecSshfs, wrappers.Jsch, replayed.Winscp, replayed.Filezilla, replayed.SshNet,
)  # fmt: skip
EVERY_TIME = {
    openssh.Sftp,
    openssh.Scp,
    lftp.Lftp,
    curl.Curl,
    psftp.Psftp,
    rclone.Rclone,
    libraries.Paramiko,
    libraries.Asyncssh,
}
"""Clients of which `make test` runs every cell; of the others it runs those of FIRST."""
FIRST = {"put_by_rename", "resume"}


@dataclass(frozen=True)
class Scenario:
    """One column of the table; a client that has none of the methods cannot do it."""

    name: str
    methods: tuple[str, ...]

    def can(self, client: type) -> bool:
        return any(callable(getattr(client, method, None)) for method in self.methods)


PUT = Scenario("put", ("put",))
OVERWRITE = Scenario("overwrite", ("put",))
TEMPORARY = Scenario("temporary name, rename", ("put_by_rename",))
RESUME = Scenario("resume after a drop", ("resume", "append"))
PRESERVE = Scenario("preserved time", ("put_preserving",))
ATTRIBUTES = Scenario("chmod, utime, stat afterwards", ("change_attributes",))
RENAME_OVER = Scenario("rename over a name", ("put_over_by_rename",))
REMOVE_FIRST = Scenario("remove, then rename", ("put_after_removing",))
TREE = Scenario("recursive directory", ("put_tree",))
RESULTS = Scenario("list and fetch results", ("names", "get"))
SCENARIOS = (PUT, OVERWRITE, TEMPORARY, RESUME, PRESERVE, ATTRIBUTES, RENAME_OVER, REMOVE_FIRST, TREE, RESULTS)

HEAD = """# Clients

What `make clients` last saw: real clients against a gateway, each doing what it does by default. ✓ works · – the client has
no such function · ✗ failed. `make test-all` runs all of it; CI a part of every client. How to set up each of them:
[brands.md](brands.md).

"""


def names() -> list[str]:
    """Name the clients, in the order of the table."""
    return [kind.name for kind in CLIENTS]  # type: ignore[attr-defined]


def page(outcomes: dict[tuple[str, str], bool]) -> str:
    """Write the page: `outcomes` by names of scenario and client; a cell that did not run counts as failed."""
    lines = ["| client | " + " | ".join(each.name for each in SCENARIOS) + " |", "| --- " * (len(SCENARIOS) + 1) + "|"]
    for client, name in zip(CLIENTS, names(), strict=True):
        cells = [("✓" if outcomes.get((each.name, name)) else "✗") if each.can(client) else "–" for each in SCENARIOS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return HEAD + "\n".join(lines) + "\n"
