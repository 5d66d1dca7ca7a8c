"""A best guess at the encoding of text that is not Unicode; cp1252, which most such files are in, unless the text speaks against it.

Each encoding is tried with the letters of each language that is written in it: the right one gives
letters of one language only, capitals where words begin, and common letters more often than rare ones.
"""

import codecs
import functools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from sftp_gateway.catalog.read.text import asian

COMMON = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "iso8859_15",
    "mac_roman", "cp437", "cp850", "cp852", "koi8_r", "shift_jis", "cp932", "euc_jp", "gb18030", "gbk", "big5", "euc_kr", "cp949",
]  # fmt: skip
"""What product files come in, besides Unicode. In none of them are CR, LF, comma, semicolon, tab or quotes a part of
another character."""

_EVIDENCE_BYTES = 8
"""With fewer bytes beyond ASCII, of which no language is told, a text is taken for cp1252."""
_MOST_BYTES = 4096
_WEST = {"cp1252", "iso8859_15"}
_ICELANDIC = "áíóðúéöþæý"
"""Most of its letters are Turkish ones in the encoding of that."""
_MIXED = "éáíóúüñöäßçøåæàèãâôëï"
"""What names of people and places of many Western countries have; those of one country have fewer."""
_UNMIXED = re.compile(
    r"""[^\W\d_a-z]{3}                         # accents in a row: another script
    | [øæ](?=[aeiouyáéíóúâîôèê]) | (?<=[aeiouyáéíóúâôè])[øæ](?!e)     # `ř`, `ć`, `ų`
    | è(?=[aeiouáéíóú]) | ã(?![oe]) | [éá]{2}""",
    re.VERBOSE | re.IGNORECASE,
)
"""What those letters hardly ever stand in, where they are others of another encoding."""
_LITTLE = 0.01
"""What the frequency of letters counts for where most are ASCII: it decides between languages that have them all."""
_LANGUAGES = (
    (("cp1252", "mac_roman", "cp850"), (
        "üäöß", "éàèêçâôîûùïœëü", "óíáéñúüç", "èàùòìé", "äåöéü", "åøæéü", "ãçáéíóêõúâàô", "éëïóöüè", "àéèóíòçúïü",
    )),
    (("cp1250", "iso8859_2", "cp852"), (
        "łąężśćóńź", "íáéěřšžčýůúťďóň", "áäčďéíĺľňóôŕšťúýž", "áéöóőüíúű", "čšžćđ", "ăîşţâșț",
    )),
    (("cp1254", "cp857"), ("ıüşçöğİâûî",)),
    (("cp1257", "cp775"), ("ėšįžųūąčę", "āīēšņļūžčķģ", "äõüöšž")),
    (("iso8859_15",), ("éàèêçâôîûùïœëü", "äõüöšž")),
    (("cp1252", "mac_roman", "cp850"), (_ICELANDIC,)),
    (("cp1252",), (_MIXED,)),
    (("cp1258",), ("\u0301\u0300đôà\u0323\u0309áươêóăâéíèúù\u0303",)),
    (("cp1251", "koi8_r", "iso8859_5", "cp866", "mac_cyrillic", "koi8_u", "cp1125", "cp855"), (
        "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфёъ", "оанитвіесркдлумпязьбгчйхцжєїюшщґф", "аиоетнрсвлкдпмзгяъубчщцжхюшфйь",
    )),
    (("cp1253", "iso8859_7", "cp737"), ("αοιετσνηυρπκμλάςίόέωδγήχθύφβξώζψϊϋΐ",)),
    (("cp1255", "iso8859_8", "cp862"), ("יוהלאתרמשנבדקחעםפסטןכצגזךףץ",)),
    (("cp1256", "iso8859_6"), ("اليمونرتبةعدسفهكقحجشصطأخإىضئءذزثغؤظآ",)),
    (("cp874",), ("านร่กเ้งอมยลีวดัสิทตปะใ์ึคุบหพแืชผจู็โำขไถธซฟศฝญภณฉษฐฮฎฬฏฑฒฌฆฤฯๆ๊๋ๅ๐๑๒๓๔๕๖๗๘๙",)),
)  # fmt: skip
"""Encodings, and the letters beyond ASCII of the languages written in them, the most frequent first."""
_GREEK = "\u0370"
"""From here on letters are of another script, so that all of a text's are beyond ASCII and their frequency tells."""
_THAI = "\u0e00-\u0e7f"
"""Its vowels and tones, which stand above and below, count as no letters."""
_ALONE = re.compile(rf"(?<![^\W\d_])[^\W\d_a-zA-Z{_THAI}](?![^\W\d_])")
"""A letter beyond ASCII that is a word by itself: in another script most words have several."""
_NEVER_ALONE = frozenset("œŒšŠžŽŸ")
"""In ISO 8859-15 they stand where `½ ¼ ¨ ¦ ¸ ´ ¾` are elsewhere."""
_EUROS = {"iso8859-15": b"\xa4", "mac-roman": b"\xdb", "cp858": b"\xd5"}
"""What is the euro, and beside figures alone in others a sign that nobody means (`¤`), a letter, or half a character."""
_BESIDE_FIGURES = rb"\d[ \xa0\xca]?%b(?![\x80-\xffA-Za-z])|(?<![\x80-\xffA-Za-z])%b[ \xa0\xca]?\d"
_POUND = re.compile(rb"(?<![\x80-\xffA-Za-z])\xa3[ \xa0]?\d")
"""A sign before figures that is the pound: where all are so, it is no letter."""
_UNPRINTED = re.compile(rb"[\x80-\x9f]")
"""No characters in ISO 8859: the file is in another one."""
_ASCII = bytes(range(0x80))
_BEYOND = re.compile(r"[^\x00-\x7f]")
_SPACE = "\xa0"
"""It stands between any words, and says nothing of their letters."""
_SIGNS = frozenset("“”„‘’‚‹›«»–—…•·°®™©×÷±²³¹½¼¾§€£¥¢ªº¿¡µ№¶†‡،؛؟\xa0\xad")
_WESTERN = "àâäáãåæçèéêëìíîïñòóôöõøœùúûüÿßšžÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØŒÙÚÛÜŠŽªº"
_STRANGE = re.compile(
    rf"""[^\W\d_{_WESTERN}a-zA-Z²³¹½¼¾]      # a letter that Western European texts hardly have: þ ð ý ƒ Ÿ
    | [{_WESTERN}]{{4,}}                # accents in a row: another script
    | (?<=[a-z])[ÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØŒÙÚÛÜŠŽ](?![A-Z])    # a capital inside a word
    | (?<=[A-Za-z{_WESTERN}])[^\x00-\x7f\w’‘´–—·\xa0\xad](?=[A-Za-z{_WESTERN}])    # a sign inside a word
    | (?<=[{_WESTERN}²³¹½¼¾])[²³¹½¼¾] | [²³¹½¼¾](?=[{_WESTERN}])
    | (?<=[A-Za-z])[²³¼½¾¹](?=[A-Za-z]) | [³¹¿¼¾](?=[a-z])
    """,
    re.VERBOSE,
)


def guess(text: bytes) -> str:
    """Give the Python name of the encoding that `text` is most likely in."""
    beyond = count_beyond_ascii(text)
    for known, sign in _EUROS.items():
        if _has_euro(text, known, sign) and _is_western(text, known, beyond):
            return codecs.lookup(known).name
    name = asian.guess(text) or _by_language(text[:_MOST_BYTES])
    if name is not None:
        return codecs.lookup(name).name
    if beyond < _EVIDENCE_BYTES:
        return "cp1252"
    for name in ("cp1252", "mac-roman"):
        if _is_western(text, name, beyond):
            return name
    import charset_normalizer  # noqa: PLC0415 - 15 ms for what hardly a file needs

    best = charset_normalizer.from_bytes(text, cp_isolation=COMMON, steps=10, chunk_size=1024).best()
    return "cp1252" if best is None else codecs.lookup(best.encoding).name


def _has_euro(text: bytes, name: str, sign: bytes) -> bool:
    """Whether a sign is the euro: one amount tells where no text has it otherwise (`¤`), else most of them must be such."""
    amounts = len(re.findall(_BESIDE_FIGURES % (sign, sign), text)) if sign in text else 0
    if name == "iso8859-15":
        return amounts > 0 and not _UNPRINTED.search(text)
    return amounts * 2 > text.count(sign)


def count_beyond_ascii(text: bytes) -> int:
    """Count the bytes that are no ASCII."""
    return len(text.translate(None, _ASCII))


def _by_language(text: bytes) -> str | None:
    """Give the encoding in which all letters are those of one language; of several, the one whose letters are likeliest."""
    best, likeliest = None, -math.inf
    pounds = len(_POUND.findall(text))
    for reading in _readings(text):
        if pounds and pounds == text.count(b"\xa3") and reading.beyond.get("£", 0) < pounds:
            continue
        beyond = reading.beyond
        for language in reading.languages:
            told = sum([count for character, count in beyond.items() if character in language.known])
            strange = sum([count for character, count in beyond.items() if character not in language.allowed])
            # What is misplaced is looked for last: most encodings give letters of no language, and need not be decoded.
            if strange > 0.02 * told or not (told or reading.name == "cp1252"):
                continue
            strange += reading.misplaced + (language.letters == _MIXED and reading.unmixed)
            if not (strange or told):
                return reading.name  # signs only
            alone = language.is_script and 3 * len(_ALONE.findall(reading.decoded)) > told
            if strange > 0.02 * told or not told or alone:
                continue
            score = 3 * told / sum(beyond.values())
            if reading.name not in _WEST or language.letters == _ICELANDIC:  # cp1252 stands where nothing else tells
                score += language.likelihood(beyond) * (1.0 if language.is_script else _LITTLE)
            if score > likeliest:
                best, likeliest = reading.name, score
    return best


class _Language:
    """The letters beyond ASCII that a language has, the most frequent first."""

    def __init__(self, letters: str) -> None:
        self.letters = letters
        self.known = frozenset(letters) | frozenset(letters.upper())
        self.allowed = self.known | _SIGNS
        self.is_script = letters[0] >= _GREEK
        self._rank = {letter: place for place, letter in enumerate(letters)}
        self._total = sum(1 / (place + 3) for place in range(len(letters)))

    def likelihood(self, beyond: dict[str, int]) -> float:
        """How likely letters are, on average, where the n-th most frequent one is as likely as 1/(n + 3)."""
        rank = self._rank
        seen = [(rank[letter], count) for character, count in beyond.items() if (letter := character.lower()) in rank]
        likely = sum(count * -math.log((place + 3) * self._total) for place, count in seen)
        return likely / max(1, sum(n for _, n in seen))


@functools.cache
def _languages() -> list[tuple[tuple[str, ...], list[_Language]]]:
    return [(names, [_Language(letters) for letters in languages]) for names, languages in _LANGUAGES]


class _Reading(Struct, frozen=True, dict=True):
    """A text as an encoding has it, and the languages that are written in that."""

    name: str
    languages: list[_Language]
    text: bytes
    beyond: dict[str, int]
    """How often each character beyond ASCII is there, in the order of the text."""

    @functools.cached_property
    def decoded(self) -> str:
        return self.text.decode(self.name)

    @functools.cached_property
    def misplaced(self) -> int:
        """How much stands where it cannot."""
        return _misplaced(self.decoded)

    @functools.cached_property
    def unmixed(self) -> int:
        """How much speaks against letters of several countries."""
        return len(_UNMIXED.findall(self.decoded))


def _readings(text: bytes) -> Iterator[_Reading]:
    """Give a text in each encoding that has all of its bytes; each is of one byte a character, with ASCII as it is."""
    counts = Counter(text.translate(None, _ASCII))
    high = bytes(counts)
    for names, languages in _languages():
        for name in names:
            try:
                characters = high.decode(name)
            except UnicodeDecodeError:
                continue
            beyond: dict[str, int] = {}
            for character, count in zip(characters, counts.values(), strict=True):
                if character != _SPACE:
                    beyond[character] = beyond.get(character, 0) + count
            yield _Reading(name, languages, text, beyond)


def _misplaced(text: str) -> int:
    """How much stands where it cannot: capitals behind small letters, signs between letters, two scripts in a word."""
    count, around = 0, f" {text} "
    for found in _BEYOND.finditer(text):
        place = found.start()
        before, here, after = around[place], found.group(), around[place + 2]
        count += here.isupper() and before.islower()
        count += after <= "\x7f" and after.isupper() and here.islower()
        count += here in _SIGNS and here not in "’‘·–\xa0" and before.isalpha() and after.isalpha()
        count += here >= _GREEK and here.isalpha() and (_is_latin(before) or _is_latin(after))
        count += here in _NEVER_ALONE and not (before.isalpha() or after.isalpha())
        count += unicodedata.category(here) == "Mn" and not _carries(before, here)
        count += here in "เแโใไ" and not _is_thai(after)
        count += here in "€£¥" and (before.isalpha() or after.isalpha())
    return count


def _carries(before: str, here: str) -> bool:
    """Whether a tone or vowel may stand above or below what is before it."""
    letter = _is_thai(before) if here >= "\u0e00" else before.isalpha()
    return letter or unicodedata.category(before) == "Mn"


def _is_thai(character: str) -> bool:
    """Whether it is a consonant."""
    return "\u0e01" <= character <= "\u0e2e"


def _is_latin(character: str) -> bool:
    return character < "\x7f" and character.isalpha()


def _is_western(text: bytes, name: str, beyond: int) -> bool:
    """Whether an encoding gives what Western European texts look like."""
    try:
        decoded = text.decode(name)
    except UnicodeDecodeError:
        return False
    strange = sum(max(1, len(match.group())) for match in _STRANGE.finditer(decoded))
    return strange <= 0.05 * beyond
