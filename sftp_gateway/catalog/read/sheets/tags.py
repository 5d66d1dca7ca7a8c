"""The tags of a workbook's parts, read with patterns: a parser takes ten times as long, and a workbook has millions of them."""

import re

TAG = rb"<(?:[\w.-]+:)?"
END = rb"</(?:[\w.-]+:)?"
_ATTRIBUTE = re.compile(rb"""(?<![\w:.-])([\w:.-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")


def attributes(tag: bytes) -> dict[bytes, bytes]:
    """Give the attributes of a tag by name, as they are written."""
    return {name: double or single for name, double, single in _ATTRIBUTE.findall(tag)}
