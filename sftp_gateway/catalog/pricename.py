"""What the header of an amount tells of it: its currency, and that it is no product's price or cost. Serves `propose`."""

import re

from sftp_gateway.catalog.types import isocodes

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_OTHER_AMOUNT = re.compile(
    r"(?i)\b(sales?|special|promo\w*|discount\w*|reduced|aktion\w*|angebot\w*|sonder\w*|soldes?|promotion\w*|"
    r"shipping|freight|delivery|versand\w*|livraison)\b"
)
"""In the header of an amount that is neither a product's price nor its cost."""
_CURRENCY = re.compile(r"[\s\-_.([/]([A-Z]{3})[)\]]?$")


def currency(header: str) -> str:
    """Give the currency that ends a header (`price-EUR`, `Price (USD)`); '' if none does."""
    found = _CURRENCY.search(header)
    return found[1] if found and found[1] in isocodes.CURRENCIES else ""


def plain(header: str, meant: str) -> str:
    """Give the header of an amount without its currency; '' where that is not the one meant, or it is no price."""
    if _OTHER_AMOUNT.search(_CAMEL.sub(" ", header)):
        return ""
    named = currency(header)
    if not named:
        return header
    return header.rpartition(named)[0] if named == meant else ""
