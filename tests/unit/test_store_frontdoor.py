"""How brands reach the front door: what it said itself counts, on every host."""

from msgspec.structs import replace

from sftp_gateway import settings
from sftp_gateway.store import brands, frontdoor, homes
from sftp_gateway.store.frontdoor import Address

DOOR = Address("sftp.example.com", 22, ("SHA256:abc", "SHA256:def"))
HERE = settings.Sftp(public_host="worker.internal", port=2222)


def test_what_the_front_door_said_counts_and_not_what_a_host_without_one_would_say(store):
    assert frontdoor.address(store, HERE) == Address("worker.internal", 2222)
    assert frontdoor.tell(store, DOOR)
    assert frontdoor.address(store, HERE) == DOOR


def test_all_homes_are_painted_again_when_the_address_is_news_and_only_then(store):
    for name in ("acme", "bolt"):
        brands.create(store, name)

    def clean():
        dirty = homes.dirty(store)
        with store.write() as tx:
            for name, seq in dirty:
                homes.cleaned(tx, name, seq)

    for told in (DOOR, replace(DOOR, fingerprints=("SHA256:new",))):
        clean()
        assert frontdoor.tell(store, told)
        assert [name for name, _ in homes.dirty(store)] == ["acme", "bolt"]
        clean()
        assert not frontdoor.tell(store, told)
        assert homes.dirty(store) == []


def test_the_settings_of_a_host_mean_its_public_name_and_port():
    assert frontdoor.configured(HERE, 40_000) == Address("worker.internal", 40_000)
    assert frontdoor.configured(replace(HERE, public_port=22), 40_000) == Address("worker.internal", 22)
    assert frontdoor.configured(settings.Sftp()).host
