"""What numbers, dates, times and links look like, as pieces of patterns over bytes.

Each quantifier keeps what it took (`++`, `*+`): a cell comes from a stranger, and a pattern that goes back to try
again takes minutes over a thousand blanks.
"""

NUMBER = (
    rb"[-+(]?\s*+(?:[$\xa3]|\xe2\x82\xac|\xc2\xa3|[A-Z]{3}\s)?\s*+[-+]?"
    rb"(?=[.,]*+\d)[\d.,'\s]*+(?:[eE][+-]?\d++)?\s*+(?:%?+\))?"
)
"""With a currency in front, signs, groups, an exponent, accountants' brackets."""
DATE = rb"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[T\s]++\d.*+)?"
TIME = rb"\d{1,2}:\d\d(?::\d\d)?(?:\s?[APap][Mm])?"
MAIL = rb"[^@\s]++@[^@\s.]++(?:\.[^@\s.]++)++"
LINK = rb"https?://\S++"
