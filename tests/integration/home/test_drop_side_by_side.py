"""Drop folders of different brands do not wait for each other."""

import asyncio
import contextlib
import os
import shutil
import threading
from pathlib import Path

import pytest

from sftp_gateway import upload_name
from sftp_gateway.intake import dropped, folder, watch
from sftp_gateway.store import brands

BODY = b"sku,name,msrp\n1,one,1\n"


class Held:
    """Holds the copy of one file of acme, as if it were of many GiB; the others are quick."""

    def __init__(self, monkeypatch, name):
        self.begun, self.goes_on = threading.Event(), threading.Event()
        self.written = self.held = 0
        self._real, self._name = folder.copied, name
        monkeypatch.setattr(dropped.folder, "copied", self._copied)

    def _copied(self, directory, name, look, copy, given_up):
        if name == self._name:
            copy.write_bytes(bytes(self.written))
            self.held += 1
            self.begun.set()
            while not self.goes_on.wait(0.01):
                if given_up():
                    return None
            copy.unlink()
        return self._real(directory, name, look, copy, given_up)


@pytest.fixture
def held(monkeypatch):
    held = Held(monkeypatch, "large.csv")
    yield held
    held.goes_on.set()


def put(drop, path, second=0):
    file = drop.folder / path
    file.write_bytes(BODY + path.encode())
    os.utime(file, (1_700_000_000 + second, 1_700_000_000 + second))
    return file


async def test_a_file_of_another_brand_is_taken_while_a_large_one_is_copied(house, drop, held):
    put(drop, "acme/inbox/large.csv")
    await house.until(held.begun.is_set)
    file = put(drop, "bolt/inbox/b.csv")
    await house.received(1, brand="bolt")
    await house.until(lambda: not file.exists())
    assert not house.history()


async def test_brands_with_large_files_leave_a_place_for_those_with_small_ones(house, drop, held, monkeypatch):
    monkeypatch.setattr(watch, "LARGE_BYTES", 100)
    large = [f"large{number}" for number in range(watch.SIDE_BY_SIDE)]
    for brand in large:
        brands.create(house.store, brand)
        for top in upload_name.TOPS:
            (drop.folder / brand / top).mkdir(parents=True, exist_ok=True)
        with put(drop, f"{brand}/inbox/large.csv").open("ab") as file:
            file.write(b"2,two,2\n" * 20)
    await house.until(lambda: held.held >= watch.SIDE_BY_SIDE - 1)
    file = put(drop, "bolt/inbox/b.csv")
    await house.received(1, brand="bolt")
    await house.until(lambda: not file.exists())
    assert not any(house.history(brand) for brand in large)
    held.goes_on.set()
    for brand in large:
        await house.received(1, brand=brand)


async def test_later_files_of_the_brand_wait_for_a_large_one(house, drop, held):
    put(drop, "acme/inbox/large.csv")
    put(drop, "acme/partial/a.csv", second=1)
    await house.until(held.begun.is_set)
    put(drop, "acme/inbox/b.csv", second=2)
    put(drop, "bolt/inbox/b.csv")
    await house.received(1, brand="bolt")
    assert not house.history()
    held.goes_on.set()
    found = await house.received(3)
    assert [upload.path for upload in found] == ["inbox/large.csv", "partial/a.csv", "inbox/b.csv"]


async def test_what_came_meanwhile_is_taken_without_a_rescan(house, drop_folder, tmp_path, held):
    async with drop_folder(tmp_path / "drop", rescan_seconds=3600) as drop:
        put(drop, "acme/inbox/large.csv")
        await house.until(held.begun.is_set)
        put(drop, "acme/inbox/b.csv")
        put(drop, "bolt/inbox/b.csv")
        await house.received(1, brand="bolt")
        held.goes_on.set()
        assert len(await house.received(2)) == 2


async def test_a_stop_waits_for_none_of_the_copies(house, drop_folder, tmp_path, held):
    async with drop_folder(tmp_path / "drop") as drop:
        file = put(drop, "acme/inbox/large.csv")
        other = put(drop, "bolt/inbox/large.csv")
        await house.until(held.begun.is_set)
    assert file.exists() and other.exists() and not house.history() and not house.history("bolt")


async def test_copies_at_the_same_time_do_not_share_the_room_that_is_left(house, drop, held, monkeypatch, log_lines):
    usage = shutil.disk_usage(house.files.staging)
    size = len(BODY) + len("acme/inbox/large.csv")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=size + 1))
    put(drop, "acme/inbox/large.csv")
    await house.until(held.begun.is_set)
    file = put(drop, "bolt/inbox/b.csv")
    await house.until(lambda: [line for line in log_lines if line["event"] == "drop.stuck" and line["brand"] == "bolt"])
    assert file.exists() and not house.history("bolt")
    held.goes_on.set()
    await house.received(1, brand="bolt")


async def test_what_is_copied_of_a_file_already_takes_its_room_once(house, drop, held, monkeypatch):
    usage, size = shutil.disk_usage(house.files.staging), len(BODY) + len("acme/inbox/large.csv")
    held.written = size - 1  # what a disk has that has room for both, to the byte

    def left(folder):
        return usage._replace(free=2 * size - sum(copy.stat().st_size for copy in folder.glob("**/drop-*/*")))

    monkeypatch.setattr(shutil, "disk_usage", left)
    put(drop, "acme/inbox/large.csv")
    await house.until(held.begun.is_set)
    put(drop, "bolt/inbox/b.csv")
    await house.received(1, brand="bolt")
    assert not house.history()


async def test_the_worker_is_woken_on_the_loop(house, drop_folder, tmp_path):
    woken = []
    async with drop_folder(tmp_path / "drop", wake_worker=lambda: woken.append(threading.get_ident())) as drop:
        put(drop, "acme/inbox/a.csv")
        await house.until(lambda: woken)
    assert set(woken) == {threading.get_ident()}


async def test_a_brand_whose_files_cannot_be_taken_now_keeps_no_other_waiting(house, drop, monkeypatch):
    real = dropped.Taker.take

    def take(taker, found, look, most):
        if found.brand == "acme":
            raise OSError("the disk cannot read it")
        return real(taker, found, look, most)

    monkeypatch.setattr(dropped.Taker, "take", take)
    put(drop, "acme/inbox/a.csv")
    put(drop, "bolt/inbox/b.csv", second=1)
    await house.received(1, brand="bolt")


async def test_looks_into_the_folders_are_not_reported_to_the_gateway_itself(drop):
    """Of thousands of brands one look makes more such events than the kernel keeps, and to be told of that made another look."""
    reading = 0x1 | 0x10 | 0x20  # IN_ACCESS, IN_CLOSE_NOWRITE, IN_OPEN (inotify(7))
    masks = await asyncio.to_thread(lambda: list(watched()))
    assert masks and not any(mask & reading for mask in masks)


def watched():
    """Give what the kernel is asked to tell of each directory that this process watches (proc_pid_fdinfo(5))."""
    for file in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # the one of this very list
            for line in file.read_text().splitlines():
                if line.startswith("inotify "):
                    yield int(line.split("mask:")[1].split()[0], 16)
