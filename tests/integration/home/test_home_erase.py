"""A brand that is erased while the gateway runs: nothing that it sent stays on the disk, and nobody else loses anything."""

from sftp_gateway.sftp import homes
from sftp_gateway.store import brands

SECRET, OURS = b"sku,cost\nsecret,12\n" * 50, b"sku,cost\nours,12\n" * 50


def holding(house, text):
    """Files of the gateway with this text in them."""
    found = (path for path in house.root.rglob("*") if path.is_file() and text in path.read_bytes())
    return sorted(str(path.relative_to(house.root)) for path in found)


async def test_nothing_that_an_erased_brand_sent_stays_on_the_disk(open_house, monkeypatch):
    monkeypatch.setattr(homes, "FORGET_SECONDS", 0.02)
    house = await open_house()
    for user, body in (("acme", SECRET), ("bolt", OURS)):
        async with house.sftp(user) as client, client.open("catalog.csv", "wb") as file:
            await file.write(body)
        await house.received(1, brand=user)
    assert any(name.startswith("staging/journal/") for name in holding(house, SECRET))
    brands.erase(house.store, house.files, "acme")
    await house.until(lambda: holding(house, SECRET) == [])
    (upload,) = house.history("bolt")
    assert house.bytes_of(upload) == OURS
    async with house.sftp("bolt") as client, client.open("next.csv", "wb") as file:
        await file.write(OURS)
    await house.received(2, brand="bolt")
