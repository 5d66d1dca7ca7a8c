"""A best guess at the encoding of text that is not Unicode; cp1252, which most such files are in, unless the text speaks against it."""

import codecs
import re

import charset_normalizer

COMMON = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "iso8859_15",
    "mac_roman", "cp437", "cp850", "koi8_r", "shift_jis", "cp932", "euc_jp", "gb18030", "gbk", "big5", "euc_kr", "cp949",
]  # fmt: skip
"""What product files come in, besides Unicode. In none of them are CR, LF, comma, semicolon, tab or quotes a part of
another character."""

_EVIDENCE_BYTES = 8
"""With fewer bytes beyond ASCII nothing can be told."""
_WESTERN = "àâäáãåæçèéêëìíîïñòóôöõøœùúûüÿßšžÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØŒÙÚÛÜŠŽªº"
_STRANGE = re.compile(
    rf"""[^\W\d_{_WESTERN}a-zA-Z]      # a letter that Western European texts hardly have: þ ð ý ƒ Ÿ
    | [{_WESTERN}]{{4,}}                # accents in a row: another script
    | (?<=[a-z])[ÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØŒÙÚÛÜŠŽ](?![A-Z])    # a capital inside a word
    | (?<=[A-Za-z{_WESTERN}])[^\x00-\x7f\w’‘´–—·\xa0\xad](?=[A-Za-z{_WESTERN}])    # a sign inside a word
    | (?<=[A-Za-z])[²³¼½¾¹](?=[A-Za-z]) | [³¹¿¼¾](?=[a-z])
    """,
    re.VERBOSE,
)


def guess(text: bytes) -> str:
    """Give the Python name of the encoding that `text` is most likely in."""
    beyond = sum(byte > 0x7F for byte in text)
    if beyond < _EVIDENCE_BYTES:
        return "cp1252"
    for name in ("cp1252", "mac-roman"):
        if _is_western(text, name, beyond):
            return name
    best = charset_normalizer.from_bytes(text, cp_isolation=COMMON, steps=10, chunk_size=1024).best()
    return "cp1252" if best is None else codecs.lookup(best.encoding).name


def _is_western(text: bytes, name: str, beyond: int) -> bool:
    """Whether an encoding gives what Western European texts look like."""
    try:
        decoded = text.decode(name)
    except UnicodeDecodeError:
        return False
    strange = sum(max(1, len(match.group())) for match in _STRANGE.finditer(decoded))
    return strange <= 0.05 * beyond
