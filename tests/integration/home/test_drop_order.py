"""What waits in drop folders is taken as it came."""

import asyncio
import os

BODY = "sku,name,msrp\n1,one,{}\n"


async def test_files_that_waited_are_taken_as_they_came_whatever_their_folders_and_names(house, tmp_path, drop_folder):
    place = tmp_path / "drop" / "acme"
    came = ["partial/p.csv", "inbox/catalog-9.csv", "test/t.csv", "inbox/catalog-10.csv", "partial/a.csv"]
    for second, path in enumerate(came):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(BODY.format(second))
        os.utime(place / path, (1_700_000_000 + second, 1_700_000_000 + second))
    async with drop_folder(tmp_path / "drop") as drop:
        await house.received(len(came))
        await asyncio.to_thread(house.go_through, drop)
    assert [upload.path for upload in house.history()] == came


async def test_files_of_one_moment_are_taken_by_name(house, tmp_path, drop_folder):
    place = tmp_path / "drop" / "acme" / "inbox"
    place.mkdir(parents=True)
    for name in ("c.csv", "a.csv", "b.csv"):
        (place / name).write_text(BODY.format(name))
        os.utime(place / name, (1_700_000_000, 1_700_000_000))
    async with drop_folder(tmp_path / "drop"):
        found = await house.received(3)
    assert [upload.name for upload in found] == ["a.csv", "b.csv", "c.csv"]
