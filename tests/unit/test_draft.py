import hashlib
from datetime import UTC, datetime

import pytest

from sftp_gateway import errors
from sftp_gateway.settings import Limits
from sftp_gateway.sftp.allowance import Allowance, in_units
from sftp_gateway.sftp.draft import Draft
from sftp_gateway.sftp.unwritten import Unwritten
from sftp_gateway.store.drafts import Entry, Place
from sftp_gateway.store.staging import Staging

AT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def allowance():
    return Allowance(Limits(quota_bytes=1000, quota_files=2, max_file_bytes=800))


@pytest.fixture
def draft(tmp_path, allowance):
    made = Draft(
        Entry("d", "acme", "inbox/d", "d", Place.OPEN, 0, AT, AT, AT), tmp_path, allowance, Unwritten(Staging(tmp_path))
    )
    made.create()
    made.put_down()
    yield made
    made.close()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_bytes_that_come_in_order_are_hashed_on_the_way(draft):
    draft.write(0, b"abc")
    draft.append(b"def")
    assert draft.sha256 == sha256(b"abcdef")


def test_a_hash_is_never_given_for_bytes_that_are_not_those_of_the_file(draft):
    draft.write(0, b"abcdef")
    draft.write(2, b"X")
    assert draft.sha256 == ""
    assert draft.read(0, 10) == b"abXdef"


def test_a_gap_is_not_hashed_until_it_is_filled(draft):
    draft.write(3, b"def")
    assert draft.sha256 == ""
    draft.write(0, b"abc")
    assert draft.sha256 == ""  # what lay behind the gap is hashed when it is claimed


def test_cutting_into_what_was_hashed_forgets_the_hash_and_cutting_all_begins_anew(draft):
    draft.write(0, b"abcdef")
    draft.truncate(3)
    assert draft.sha256 == ""
    draft.truncate(0)
    draft.write(0, b"xyz")
    assert draft.sha256 == sha256(b"xyz")


def test_a_copy_that_is_written_over_in_order_and_cut_is_hashed(draft, tmp_path):
    (tmp_path / "old").write_bytes(b"x" * 100)
    draft.truncate(100)
    with (tmp_path / "old").open("rb") as source:
        draft.fill_from(source, 100)
    assert draft.read(0, 100) == b"x" * 100
    draft.write(0, b"short")
    draft.truncate(5)
    assert draft.sha256 == sha256(b"short")


def test_the_file_limit_holds_to_the_byte_and_a_refusal_stays(draft, allowance):
    draft.write(0, b"x" * 800)
    with pytest.raises(errors.Refused) as refusal:
        draft.write(800, b"x")
    assert refusal.value.code == "FILE_TOO_LARGE"
    with pytest.raises(errors.Refused):
        draft.write(0, b"x")
    assert allowance.used_bytes == draft.size == 800


def test_the_quota_holds_to_the_byte_over_all_files(draft, allowance):
    allowance.used_bytes = 400
    draft.write(0, b"x" * 600)
    draft.write(0, b"y" * 600)  # over what is there: no room needed
    with pytest.raises(errors.Refused, match="Quota exceeded: 1,000 bytes of 1,000 bytes"):
        draft.write(600, b"x")


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (1023, "1,023 bytes"), (1536, "1.5 KiB"), (20 << 30, "20 GiB")]
)
def test_sizes_are_said_as_a_person_would(size, text):
    assert in_units(size) == text
