"""Random lives of a brand: a seed says what happens in one."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar


class Life(Protocol):
    """What has steps."""

    def step(self) -> None:
        """Let something happen, and look at what came of it."""


Kind = TypeVar("Kind", bound=Life)


def live(kind: Callable[[int, Path], Kind], seed: int, steps: int) -> Kind:
    """Live so many steps in a folder that goes with the end."""
    folder = Path(tempfile.mkdtemp())
    try:
        lived = kind(seed, folder)
        for _ in range(steps):
            lived.step()
    finally:
        shutil.rmtree(folder)
    return lived
