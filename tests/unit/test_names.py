import sys
import unicodedata

import pytest

from sftp_gateway import errors, settings, upload_name
from sftp_gateway.sftp import names
from sftp_gateway.upload import Mode

RULES = settings.Intake()
TEMPORARY = upload_name.Temporary(RULES.temporary_prefixes, RULES.temporary_suffixes, RULES.temporary_patterns)


@pytest.mark.parametrize(
    ("raw", "shown", "path", "writable"),
    [
        (b"", "/", "", False),
        (b".", "/", "", False),
        (b"/..//../", "/", "", False),
        (b"a.csv", "/a.csv", "inbox/a.csv", True),
        (b"/inbox/a.csv", "/inbox/a.csv", "inbox/a.csv", True),
        (b"/inbox", "/inbox", "inbox", True),
        (b"/partial/x/../a.csv", "/partial/a.csv", "partial/a.csv", True),
        (b"/errors/a.csv", "/errors/a.csv", "errors/a.csv", False),
        (b"/README.txt", "/README.txt", "README.txt", False),
        (b"/inbox/README.txt", "/inbox/README.txt", "inbox/README.txt", True),
        (b"/Inbox/a", "/Inbox/a", "inbox/Inbox/a", True),
        (b"/caf\xe9/\xc3\xa9", "/café/é", "inbox/café/é", True),
    ],
)
def test_a_path_has_one_place_in_the_home(raw, shown, path, writable):
    found = names.place(raw)
    assert (found.shown, found.path, found.writable) == (shown, path, writable)


@pytest.mark.parametrize(
    "raw",
    [b"a\0b", b"a\nb", b"a\rb", b"\x7f", b"\xc2\x9b1m", "a\u202eb".encode(), "\u2028".encode(), b"x" * 256,
     b"/".join([b"d"] * 33), b"x/" * 2049, b"\x81"],
)  # fmt: skip
def test_a_path_that_could_mislead_or_is_too_long_is_refused(raw):
    with pytest.raises(errors.Refused) as refusal:
        names.place(raw)
    assert refusal.value.code == "name_refused"


def test_what_is_printed_of_a_refused_name_has_no_control_character():
    assert names.printable(b"a\nb\x1b\xe2\x80\xae") == "a\\x0ab\\x1b\\x202e"


@pytest.mark.parametrize(
    "name", [".a", "~a", ".in.a.csv", "a.TMP", "a.csv.filepart", "a.ocTransferId9.part", ".d/a.csv"]
)
def test_temporary_names_are_known(name):
    assert f"inbox/{name}" in TEMPORARY


@pytest.mark.parametrize("name", ["a.csv", "a.tmp.csv", "tmp/a.csv", "part", "a.partial.csv.gz", "d.tmp/a.csv"])
def test_other_names_are_final(name):
    assert f"inbox/{name}" not in TEMPORARY


def test_companions_name_their_file():
    assert upload_name.subject("inbox/a.csv.sha256") == ("inbox/a.csv", "sha256")
    assert upload_name.subject("inbox/a.csv.MD5") == ("inbox/a.csv", "md5")
    assert upload_name.subject("inbox/a.csv.done") is None
    assert upload_name.subject("inbox/a.csv.done", ".done") == ("inbox/a.csv", "marker")
    assert upload_name.subject("inbox/.sha256") is None


A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    "text",
    [A, f"{A}\n", f"{A.upper()}  a.csv", f"{A} *a.csv", f"SHA256 (a.csv) = {A}", f"{B}  other.csv\n{A}  a.csv\n"],
)
def test_a_checksum_is_found_however_it_is_written(text):
    assert upload_name.checksum(text, "sha256", "a.csv") == A


@pytest.mark.parametrize("other", ["my-s.csv", "s.csv.gz", "my s.csv", "old/s.csv"])
@pytest.mark.parametrize("line", ["{}  {}", "{} *{}", "SHA256 ({1}) = {0}", "{} ./{}"])
def test_the_line_of_another_file_whose_name_is_alike_says_nothing(line, other):
    text = f"{line.format(B, other)}\n{line.format(A, 's.csv')}\n{line.format(B, other)}\n"
    assert upload_name.checksum(text, "sha256", "s.csv") == A


@pytest.mark.parametrize("text", ["", "hello", "a" * 63, "a" * 65])
def test_what_is_no_checksum_is_none(text):
    assert upload_name.checksum(text, "sha256", "a.csv") is None


def test_the_top_directory_is_the_mode_and_a_brand_may_choose_what_its_inbox_is():
    assert upload_name.mode("inbox/a") is Mode.FULL
    assert upload_name.mode("inbox/a", "partial") is Mode.PARTIAL
    assert upload_name.mode("partial/a") is Mode.PARTIAL
    assert upload_name.mode("test/a", "partial") is Mode.TEST


def test_nothing_that_is_refused_is_printable():
    """Or it would come through: names whose characters are all printable are not looked at one by one."""
    everything = map(chr, range(sys.maxunicode + 1))
    assert not [char for char in everything if unicodedata.category(char) == "Cc" and char.isprintable()]
    assert not [char for char in names._MISLEADING if char.isprintable()]
