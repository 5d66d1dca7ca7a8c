"""Uploads as the doors make them: a test says of one what it is about, all else is of no matter to it."""

import hashlib

from sftp_gateway.blobs import Area
from sftp_gateway.store import uploads
from sftp_gateway.upload import Mode


def new(store, path="inbox/a.csv", **said):
    """Describe a file that comes now."""
    given = {"mode": Mode.FULL, "sha256": "0" * 64, "bytes": 1, "via": "cli", "complete": True}
    return uploads.New(path=path, **given | {"received_at": store.now()} | said)


def receive(store, brand="acme", path="inbox/a.csv", **said):
    """Have a file received whose bytes nobody looks for; gives its upload."""
    return uploads.receive(store, brand, new(store, path, **said))


def text(store, files, content, brand="acme", path="inbox/catalog.csv", **said):
    """Have a file with these bytes, or this text, received; gives its upload's id."""
    data = content if isinstance(content, bytes) else content.encode()
    digest = hashlib.sha256(data).hexdigest()
    staged = files.staging / f"{digest}.test"
    staged.write_bytes(data)
    files.keep(Area.SOURCES, digest, staged)
    return receive(store, brand, path, sha256=digest, bytes=len(data), **said).id
