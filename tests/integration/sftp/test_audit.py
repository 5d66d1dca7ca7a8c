"""What ssh-audit says of the front door: no fault in `default` but two known kinds of warning, none at all in `strict`."""

import json
import sys
from pathlib import Path

AUDIT = Path(sys.executable).with_name("ssh-audit")
KNOWN = ("post-quantum", "quantum", "encrypt-and-MAC")
"""Key exchanges that old clients need beside the post-quantum one; plain MACs that curl on Debian 12 needs."""


async def notes(front, program, algorithms):
    door = await front(algorithms=algorithms, penalty_exempt=["127.0.0.0/8"])
    ended = await program(AUDIT, "--skip-rate-test", "-j", f"127.0.0.1:{door.port}", seconds=60)
    found = json.loads(ended.out)
    told = {"fail": set(), "warn": set()}
    for part in ("kex", "key", "enc", "mac"):
        assert found[part]
        for each in found[part]:
            for level, lines in told.items():
                lines |= {(each["algorithm"], line) for line in each["notes"].get(level, ())}
    return told


async def test_the_default_has_no_fault_and_two_known_kinds_of_warning(front, program):
    told = await notes(front, program, "default")
    assert told["fail"] == set()
    assert {(name, line) for name, line in told["warn"] if not any(word in line for word in KNOWN)} == set()


async def test_strict_has_nothing_to_warn_of(front, program):
    assert await notes(front, program, "strict") == {"fail": set(), "warn": set()}


async def test_legacy_is_what_it_says(front, program):
    assert (await notes(front, program, "legacy"))["fail"]
