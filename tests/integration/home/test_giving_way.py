"""While small files come at full speed the intake lets them pass, and takes them in afterwards."""

from datetime import datetime, timedelta

from sftp_gateway.intake import claim, judge
from sftp_gateway.store.drafts import Place

FILES = judge.BATCH + 8


def rested(house) -> datetime:
    """The moment at which what was closed just now has rested."""
    return house.store.now() + timedelta(seconds=house.intake.rules.settle_seconds)


async def send(house, count):
    async with house.sftp() as client:
        for number in range(count):
            async with client.open(f"/inbox/{number}.csv", "wb") as file:
                await file.write(b"sku\n1\n")


async def test_the_intake_lets_a_burst_pass_and_leaves_off_after_the_batch_in_hand(house, monkeypatch):
    monkeypatch.setattr(claim, "PATIENCE_SECONDS", 60.0)
    house.intake.busy = lambda: True
    await send(house, FILES)
    await house.until(lambda: [row.place for row in house.rows()] == [Place.CLOSED] * FILES)
    assert not house.history()
    told = list(judge.drafts_of(house.intake._desk, "acme", house.rows(), rested(house), lambda: True))
    assert sum(each.received for each in told) == judge.BATCH == len(house.history())
    house.intake.busy = lambda: False
    await house.until(lambda: len(house.history()) == FILES)


async def test_the_first_batch_is_small_and_the_next_is_large_where_nobody_is_busy(house, monkeypatch):
    monkeypatch.setattr(claim, "PATIENCE_SECONDS", 60.0)
    house.intake.busy = lambda: True
    files = 2 * judge.BATCH + 8
    await send(house, files)
    await house.until(lambda: [row.place for row in house.rows()] == [Place.CLOSED] * files)
    told = list(judge.drafts_of(house.intake._desk, "acme", house.rows(), rested(house)))
    assert [each.received for each in told if each.received] == [judge.BATCH, judge.BATCH + 8]
    assert [upload.path for upload in house.history()] == [f"inbox/{number}.csv" for number in range(files)]


async def test_claims_go_on_beside_a_burst_that_does_not_end(house, monkeypatch):
    monkeypatch.setattr(claim, "PATIENCE_SECONDS", 0.2)
    house.intake.busy = lambda: True
    await send(house, FILES)
    await house.until(lambda: len(house.history()) == FILES)
