"""One upload's turn: what the store knows becomes a catalog Job, what the child made becomes a Finish.

Files come first, each written and synced under a name of its own; then one fenced transaction makes
them true. A turn that dies in between leaves files without a row, which retention removes.
"""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from sftp_gateway.blobs import Area, Files
from sftp_gateway.brand import Brand, Guards
from sftp_gateway.catalog.job import Base, Job, Outcome, Remade, Withheld
from sftp_gateway.catalog.rules.schema import Schema
from sftp_gateway.errors import Broken
from sftp_gateway.store import brands, jobs, versions, withheld
from sftp_gateway.store.database import Store
from sftp_gateway.upload import State, Upload
from sftp_gateway.worker import keep, unread
from sftp_gateway.worker.crew import Crew
from sftp_gateway.worker.keep import Keeping
from sftp_gateway.worker.message import Task
from sftp_gateway.worker.originals import Originals
from sftp_gateway.worker.watch import Ears

PROCESS = "sftp_gateway.catalog.run:process"
RELEASE = "sftp_gateway.catalog.remake:release"
ROLLBACK = "sftp_gateway.catalog.remake:rollback"


class Terms(Struct, frozen=True):
    """By which rules uploads are judged now; a reload gives new ones to the next turn."""

    schema: Schema
    guards: Guards
    max_file_bytes: int
    memory_bytes: int
    threads: int
    small_bytes: int
    process: str = PROCESS
    """The step that processes an upload; tests put one of theirs here."""


class Turn(Struct, frozen=True):
    """A claimed job, and where it is worked on. `beat` raises when it is not ours any more."""

    store: Store
    files: Files
    crew: Crew
    terms: Terms
    claimed: jobs.Claimed
    beat: Callable[[], None]
    progress: Callable[[str, float], None]

    def take(self) -> None:
        """Work it off and make the end true. Raises LeaseLost, Unavailable, Broken …; then nothing changed."""
        end = self._process() if self.claimed.kind is jobs.Kind.PROCESS else self._remake()
        self.beat()
        jobs.finish(self.store, self.claimed.id, self.claimed.token, end)

    def _process(self) -> jobs.Finish:
        upload = self.claimed.upload
        assert upload is not None
        brand = brands.get(self.store, upload.brand)
        rules = self.terms.schema.digest_with(brand.settings)
        before = unread.before(self.store, upload, rules)
        if before is not None and (same := before.end(self.store, upload)) is not None:
            return same
        with contextlib.ExitStack() as held:
            job = structs.replace(self._job(upload, brand, held), decided=before is not None)
            found = self._run(Task(self.terms.process, (job,)), small=upload.bytes < self.terms.small_bytes)
            if not isinstance(found, Outcome):
                raise Broken(f"the catalog step gave a {type(found).__name__}, not an Outcome")
            return self._kept(upload, job, found, rules)

    def _run(self, task: Task, *, small: bool) -> Any:
        with contextlib.ExitStack() as held:
            asks = self.claimed.upload.id if self.claimed.upload else None
            originals = Originals(self.store, self.files, self.claimed.brand, asks, held)
            ears = Ears(originals.find, self.progress, self.beat)
            return self.crew.run(task, ears, small=small)

    def _job(self, upload: Upload, brand: Brand, held: contextlib.ExitStack) -> Job:
        now = versions.current(self.store, upload.brand)
        return Job(
            upload=upload.id,
            brand=upload.brand,
            mode=upload.mode,
            path=upload.path,
            name=upload.name,
            source=held.enter_context(self.files.local(Area.SOURCES, upload.sha256)),
            bytes=upload.bytes,
            sha256=upload.sha256,
            complete=upload.complete,
            must_end_with_newline=bool(brands.ends_with_newline(self.store, upload.brand)),
            received_at=upload.received_at,
            schema=self.terms.schema,
            settings=brand.settings,
            guards=brand.settings.guard_limits(self.terms.guards),
            base=self._base(now, held),
            waived=frozenset(upload.waived),
            withheld=self._withheld(upload.brand, held),
            older=self._older(now, upload),
            out=self._scratch(held),
            max_file_bytes=self.terms.max_file_bytes,
            memory_bytes=self.terms.memory_bytes,
            threads=self.terms.threads,
            source_upload=upload.source_upload,
        )

    def _base(self, version: versions.Version | None, held: contextlib.ExitStack) -> Base | None:
        if version is None:
            return None
        path = held.enter_context(self.files.local(Area.CATALOG, version.file))
        return Base(version.number, path, version.products, versions.told_codes(self.store, version))

    def _older(self, now: versions.Version | None, upload: Upload) -> tuple[tuple[int, str], ...]:
        """Give the older versions of the same bytes; none to one that made the current version, too: it brings nothing back."""
        if now is None or (now.sha256, now.mode) == (upload.sha256, str(upload.mode)):
            return ()
        return versions.older_sources(self.store, upload.brand, upload.sha256)

    def _withheld(self, brand: str, held: contextlib.ExitStack) -> Withheld | None:
        found = withheld.get(self.store, brand)
        if found is None:
            return None
        path = held.enter_context(self.files.local(Area.RESULTS, found.blob))
        return Withheld(found.upload, path, found.products, found.since)

    def _scratch(self, held: contextlib.ExitStack) -> Path:
        out = self.files.scratch(f"job-{self.claimed.id}-")
        held.callback(shutil.rmtree, out, ignore_errors=True)
        return out

    def _kept(self, upload: Upload, job: Job, found: Outcome, rules: str) -> jobs.Finish:
        """Take in what the child made, every file in its area, and say what is to become true."""
        kept = Keeping(self.files, upload.brand, keep.checked(found.made, job.out))
        new = kept.results(upload.id)
        version = None
        if found.version is not None:
            counts = dict(found.receipt["changes"])
            version = structs.replace(
                kept.version(found.version, found.products, found.columns, counts),
                rules=rules,
                sha256=upload.sha256,
                mode=str(found.mode),
            )
            new += keep.catalog_files(version)
        held_back = None
        if not found.keeps_withheld and found.withheld_since is not None:
            keys, since = kept.keys(upload.id), found.withheld_since
            held_back = withheld.Withheld(upload.id, keys, found.withheld_products, since, upload.sha256)
        return jobs.Finish(
            state=found.state,
            # A file that stops in the middle gets its receipt later, if nobody goes on with it (spec §2).
            receipt=None if found.state is State.UNFINISHED else found.receipt,
            reasons=found.reasons,
            files=tuple(new),
            version=version,
            keeps_withheld=found.keeps_withheld,
            withheld=held_back,
            base_version=job.base.number if job.base else 0,
            corrects_held=found.corrects_held,
            ends_with_newline=found.ends_with_newline,
            mode=found.mode,
            rows=found.rows,
        )

    def _remake(self) -> jobs.Finish:
        """Make a version of versions: what was withheld goes, or an old catalog comes back."""
        brand = self.claimed.brand
        release = self.claimed.kind is jobs.Kind.RELEASE
        now = versions.current(self.store, brand)
        if now is None:
            raise Broken(f"{brand} has no version to start from")
        with contextlib.ExitStack() as held:
            base, out = self._base(now, held), self._scratch(held)
            if release:
                keys, approved = self._withheld(brand, held), self.claimed.upload
                # A later full file may have decided meanwhile: what it withholds nobody approved.
                if keys is None or approved is None or keys.upload != approved.id:
                    return jobs.Finish(state=None, result={"version": None, "decided_by": keys and keys.upload})
                task = Task(RELEASE, (base, keys.path, self.terms.schema, out), asks=False)
                of, source = None, now
            else:
                of = int(self.claimed.args["number"])
                source = versions.get(self.store, brand, of)
                old = self._base(source, held)
                task = Task(ROLLBACK, (base, old, self.terms.schema, out), asks=False)
            found = self._run(task, small=now.file_bytes < self.terms.small_bytes)
            if not isinstance(found, Remade):
                raise Broken(f"the catalog step gave a {type(found).__name__}, not a Remade")
            kept = Keeping(self.files, brand, keep.checked(found.made, out))
            version = structs.replace(
                kept.version(found.number, found.products, found.columns, found.changes),
                # A release goes on from what the current version stands for; a rollback from the old one.
                rules="" if release else source.rules,
                sha256="" if release else source.sha256,
                mode="" if release else source.mode,
                origin=versions.Origin.RELEASE if release else versions.Origin.ROLLBACK,
                of=of,
            )
        return jobs.Finish(
            state=None,
            files=tuple(keep.catalog_files(version)),
            version=version,
            keeps_withheld=not release,
            result={"version": version.number, "removed": found.changes["removed"]},
        )
