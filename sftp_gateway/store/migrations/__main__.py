"""Writes the next revision from what `store/tables.py` has and the revisions so far do not: for developers."""

import sys
import tempfile
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def write(message: str, place: Path = Path(__file__).parent) -> Path:
    """Write versions/NNNN_message.py, compared on a fresh SQLite database; gives its path."""
    taken = [path.name[:4] for path in (place / "versions").glob("[0-9]*.py")]
    config = Config()
    config.set_main_option("script_location", str(place))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    with tempfile.TemporaryDirectory() as directory:
        engine = sa.create_engine(f"sqlite:///{directory}/fresh.db")
        with engine.begin() as conn:
            config.attributes["connection"] = conn
            if taken:
                command.upgrade(config, "head")
            made = command.revision(config, message, autogenerate=True, rev_id=f"{int(max(taken, default='0')) + 1:04}")
        engine.dispose()
    assert made is not None
    assert not isinstance(made, list)
    return Path(made.path)


if __name__ == "__main__":
    sys.stdout.write(f"{write(' '.join(sys.argv[1:]) or sys.exit('say what changed'))}\n")
