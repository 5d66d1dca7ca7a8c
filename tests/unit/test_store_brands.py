"""Brands: made, set, let in and kept out, erased."""

from concurrent import futures
from datetime import timedelta

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from sftp_gateway.blobs import Area
from sftp_gateway.brand import BrandSettings, Key, Login
from sftp_gateway.errors import NotFound, Refused, WrongState
from sftp_gateway.store import brands, erasing, homes, tables, tokens
from sftp_gateway.store.files import NewFile, replace
from tests import sent


def key(clock, name="SHA256:abc", expires_at=None):
    return Key(name, "ssh-ed25519 AAAA", "laptop", clock(), expires_at)


def test_a_brand_is_made_once(store, clock):
    made = brands.create(store, "acme", BrandSettings(currency="EUR"))
    assert (made.name, made.enabled, made.created_at, made.current_version) == ("acme", True, clock(), 0)
    assert made.settings.currency == "EUR"
    with pytest.raises(WrongState, match="exists already"):
        brands.create(store, "acme")
    assert [brand.name for brand in brands.all_brands(store)] == ["acme"]


@pytest.mark.parametrize("name", ["", "-x", "A", "a_b", "a" * 33, "a/b", "é"])
def test_a_bad_name_is_refused(store, name):
    with pytest.raises(Refused, match="brand name"):
        brands.create(store, name)


def test_an_unknown_brand_is_not_found_and_the_nearest_is_offered(store):
    brands.create(store, "acme")
    with pytest.raises(NotFound, match="did you mean 'acme'"):
        brands.get(store, "acne")
    with pytest.raises(NotFound, match=r"no brand 'zzz'$"):
        brands.get(store, "zzz")


def test_settings_are_replaced_and_the_event_names_what_changed(store):
    brands.create(store, "acme", BrandSettings(sheet="A"))
    with capture_logs() as lines:
        brands.change_settings(
            store, "acme", lambda _: BrandSettings(sheet="A", columns={"sku": "Handle"}), by="cli:root"
        )
    assert brands.get(store, "acme").settings == BrandSettings(sheet="A", columns={"sku": "Handle"})
    (line,) = lines
    assert (line["event"], line["brand"], line["by"]) == ("brand.changed", "acme", "cli:root")
    assert line["settings"] == ["columns"]


def test_keys_are_listed_and_only_valid_ones_let_in(store, clock):
    brands.create(store, "acme")
    brands.add_key(store, "acme", key(clock))
    brands.add_key(store, "acme", key(clock, "SHA256:old", clock() + timedelta(seconds=60)))
    assert [k.fingerprint for k in brands.login(store, "acme").keys] == ["SHA256:abc", "SHA256:old"]
    assert len(brands.login(store, "acme").valid_keys(clock())) == 2
    clock.jump(61)
    assert [k.fingerprint for k in brands.login(store, "acme").valid_keys(clock())] == ["SHA256:abc"]
    brands.remove_key(store, "acme", "SHA256:abc")
    assert brands.login(store, "acme").valid_keys(clock()) == []
    brands.remove_key(store, "acme", "SHA256:old")
    assert brands.login(store, "acme") == Login(keys=())
    with pytest.raises(NotFound):
        brands.remove_key(store, "acme", "SHA256:abc")


def test_a_disabled_or_unknown_brand_has_nothing_to_log_in_with(store, clock):
    brands.create(store, "acme")
    brands.add_key(store, "acme", key(clock))
    brands.set_password_hash(store, "acme", "$argon2id$x")
    brands.change_settings(store, "acme", lambda _: BrandSettings(allow_from="192.0.2.0/24"))
    assert brands.login(store, "acme") == Login((key(clock),), "$argon2id$x", "192.0.2.0/24")
    brands.set_enabled(store, "acme", False)
    assert not brands.login(store, "acme").enabled
    assert brands.login(store, "acme").valid_keys(clock()) == []
    assert brands.login(store, "nobody") is None


def test_a_password_hash_is_never_logged(store):
    brands.create(store, "acme")
    with capture_logs() as lines:
        brands.set_password_hash(store, "acme", "$argon2id$secret")
    assert "secret" not in str(lines)


def test_a_change_makes_the_home_dirty_until_it_was_rendered(store):
    brands.create(store, "acme")
    ((brand, seq),) = homes.dirty(store)
    assert brand == "acme"
    brands.change_settings(store, "acme", lambda _: BrandSettings(currency="EUR"))
    with store.write() as tx:
        homes.cleaned(tx, "acme", seq)
    ((_, later),) = homes.dirty(store)
    assert later > seq
    with store.write() as tx:
        homes.cleaned(tx, "acme", later)
    assert homes.dirty(store) == []


def test_erasing_a_brand_leaves_nothing_of_it_and_all_of_the_others(store, files, clock):
    for brand in ("acme", "other"):
        brands.create(store, brand)
        brands.add_key(store, brand, key(clock))
        tokens.add(store, f"of-{brand}", brand=brand)
        for sha256 in ("shared", f"only-{brand}"):
            path = files.scratch() / "x"
            path.write_bytes(sha256.encode())
            files.keep(Area.SOURCES, sha256, path)
            upload = sent.receive(store, brand, sha256=sha256)
        path = files.scratch() / "x"
        path.write_bytes(b"receipt")
        files.keep(Area.RESULTS, f"{brand}/r.json", path)
        with store.write() as tx:
            replace(tx, brand, NewFile("receipts", "r.json", "results", f"{brand}/r.json", 7), upload.id)
    proof = brands.erase(store, files, "acme")
    assert (proof["blobs"], proof["shared"]) == (2, 1)
    assert proof["rows"]["upload"] == 2
    assert proof["digest"]
    assert set(files.names(Area.SOURCES)) == {"shared", "only-other"}
    assert list(files.names(Area.RESULTS)) == ["other/r.json"]
    with store.read() as conn:
        for table in tables.metadata.sorted_tables:
            if "brand" in table.c:
                found = {row.brand for row in conn.execute(table.select())}
                assert found <= {"other"}, table.name
    with pytest.raises(NotFound):
        brands.erase(store, files, "acme")
    assert sent.receive(store, "other", sha256="x").id > upload.id


def test_erasing_tells_by_its_name_whose_a_blob_is_that_no_row_names_any_more(store, files, clock):
    """A brand may be called as uploads are numbered, or as the directories of their results."""
    for brand in ("17", "17-0123456789abcdef"):
        brands.create(store, brand)
    while sent.receive(store, "17", sha256="s").id < 16:
        pass
    assert sent.receive(store, "17-0123456789abcdef", sha256="t").id == 17
    home = f"README.txt.{'a' * 24}.{'b' * 8}"
    theirs = {"17/catalog.csv.17.json.0123456789abcdef.01234567", f"17-0123456789abcdef/{home}"}
    theirs |= {"17-fedcba9876543210/withheld-keys.parquet", "17-0123456789abcdef/README.txt.17.errors.csv"}
    ours = {f"17/{home}", "16/README.txt.16.json.0123456789abcdef.01234567", "3-0123456789abcdef/x.errors.csv"}
    for area, names in (
        (Area.RESULTS, theirs | ours),
        (Area.CATALOG, {"17/ab.parquet", "17-0123456789abcdef/ab.parquet"}),
    ):
        for name in names:
            path = files.scratch() / "x"
            path.write_bytes(b"x")
            files.keep(area, name, path)
    assert brands.erase(store, files, "17")["blobs"] == len(ours) + 1 + 1
    assert set(files.names(Area.RESULTS)) == theirs
    assert set(files.names(Area.CATALOG)) == {"17-0123456789abcdef/ab.parquet"}


def test_erasing_covers_every_table_that_knows_a_brand():
    assert {table.name for table in erasing._TABLES} == {
        table.name for table in tables.metadata.sorted_tables if "brand" in table.c
    }


def test_a_change_of_settings_waits_for_one_that_is_under_way(store):
    brands.create(store, "acme")
    with futures.ThreadPoolExecutor(1) as beside:

        def first(now):
            beside.submit(brands.change_settings, store, "acme", lambda now: structs.replace(now, sheet="B"), "cli:bob")
            return structs.replace(now, currency="EUR")

        assert brands.change_settings(store, "acme", first, "cli:ann") == BrandSettings(currency="EUR")
    assert brands.get(store, "acme").settings == BrandSettings(currency="EUR", sheet="B")


def test_a_change_of_settings_that_is_refused_changes_nothing(store):
    brands.create(store, "acme", BrandSettings(currency="EUR"))

    def refuse(now):
        raise NotFound(f"{now.currency} stays")

    with capture_logs() as said, pytest.raises(NotFound, match="EUR stays"):
        brands.change_settings(store, "acme", refuse, "cli:ann")
    with pytest.raises(NotFound, match="acmee"):
        brands.change_settings(store, "acmee", refuse, "cli:ann")
    assert said == []
