"""The encodings of Chinese, Japanese and Korean, two bytes a character: told by the characters that their standards put first.

Each of these standards (GB 2312, Big5, JIS X 0208, KS X 1001) has the common characters in a range of their own, in which
nearly all of a text is; letters of one byte, taken two at a time, give any. Where several may be meant, the one in which
the text is likeliest is: of fewer common characters each is more frequent, and kana stand in nearly every Japanese text.
"""

import codecs
import math
import re
from collections import Counter

_RARE, _SIGN = 1e-6, 1 / 500
_HIRAGANA, _KATAKANA = 0.5 / 83, 0.5 / 86
_COMMON = {
    "gb18030": ((0xB0A1, 0xD7F9, 1 / 3755),),
    "big5": ((0xA440, 0xC67E, 1 / 5401),),
    "euc_kr": ((0xB0A1, 0xC8FE, 1 / 2350),),
    "euc_jp": ((0xA4A1, 0xA4F3, _HIRAGANA), (0xA5A1, 0xA5F6, _KATAKANA), (0xB0A1, 0xCFD3, 1 / 2965)),
    "cp932": ((0x829F, 0x82F1, _HIRAGANA), (0x8340, 0x8396, _KATAKANA), (0x889F, 0x9872, 1 / 2965)),
}
"""Ranges of the common characters, and how frequent one of them is among its like."""
_NO_KANA = 0.01
"""How many Japanese texts have none."""
_KANA = re.compile("[\u3041-\u30f6]")
_SIGNS = re.compile(
    "[\u2010-\u203b\u2190-\u21ff\u2460-\u25ff\u3000-\u3020\u30fb-\u30fc\uff00-\uff60\uffe0-\uffef£¥§°±×÷€]"
)
_WORD = re.compile("([A-Za-z]?)[\u3041-\u30ff\u4e00-\u9fff\uac00-\ud7a3]+([A-Za-z]?)")
_MOST_RARE = 0.07
_LEAST_DIFFERENT, _LEAST_SPREAD = 4, 0x20
"""So far apart must their second bytes be at least: letters of one case are all within fewer."""
_MOST_MIXED = 0.25
"""Share of the words that small Latin letters may touch, or capitals at both ends: two accents inside a Latin word."""
_LEAST_BEYOND = 0.2
"""Share of the second bytes that must be none of ASCII, as half of them are by chance: `KÄSE`, `25°C`, `it’s` have others."""
_WHOLE_BYTES, _MOST_BYTES = 100, 65536
"""The last character of a longer text may have been cut."""


def guess(text: bytes) -> str:
    """Give the Python name of the encoding, '' if the text is in none of them."""
    likely = {name: _likelihood(text[:_MOST_BYTES], name) for name in _COMMON}
    best = max(likely, key=likely.__getitem__)
    return best if likely[best] > -math.inf else ""


def _likelihood(text: bytes, name: str) -> float:
    """How likely each character that a text has is on average, by its logarithm; -inf if the text is hardly in that encoding."""
    try:
        decoded = codecs.getincrementaldecoder(name)().decode(text, final=len(text) < _WHOLE_BYTES)
    except UnicodeDecodeError:
        return -math.inf
    common = beyond = rare = 0
    seconds: list[int] = []
    likely = [0.0 if len(_COMMON[name]) == 1 or _KANA.search(decoded) else math.log(_NO_KANA)]
    for character, count in Counter(character for character in decoded if character > "\x7f").items():
        code = int.from_bytes(character.encode(name))
        often = next((often for first, last, often in _COMMON[name] if first <= code <= last), 0.0)
        if often:
            seconds.append(code & 0xFF)
            common += count
            beyond += count * (code & 0xFF > 0x7F)
        elif not _SIGNS.match(character):
            rare += count
        likely.append(math.log(often or (_SIGN if _SIGNS.match(character) else _RARE)))
    words = _WORD.findall(decoded)
    mixed = sum(any(map(str.islower, (before, after))) or len(before + after) > 1 for before, after in words)
    if len(seconds) < _LEAST_DIFFERENT or max(seconds) - min(seconds) < _LEAST_SPREAD:
        return -math.inf
    enough = rare <= max(1, _MOST_RARE * common) and beyond >= _LEAST_BEYOND * common
    return sum(likely) / len(likely) if enough and mixed <= _MOST_MIXED * len(words) else -math.inf
