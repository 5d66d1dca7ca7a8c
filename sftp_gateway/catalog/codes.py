"""The finding codes of spec §6 with their default severities; docs/findings.md has an entry each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A stable code; `severity` is its default (fatal, error, warning, info)."""

    name: str
    severity: str


_BY_SEVERITY = {
    "fatal": """FILE_EMPTY FILE_ENCODING FILE_DELIMITER FILE_FORMAT FILE_TRUNCATED FILE_TOO_LARGE FILE_BOMB
        FILE_CHECKSUM FILE_INCOMPLETE FILE_HEADER_MISSING FILE_HEADER_COLUMNS FILE_HEADER_DUPLICATE FILE_CORRECTION
        FILE_NO_VALID_ROW""",
    "error": """ROW_COLUMNS ROW_QUOTE ROW_ENCODING ROW_TOO_LARGE ROW_JSON FIELD_REQUIRED FIELD_TYPE FIELD_RANGE
        FIELD_LENGTH FIELD_PATTERN FIELD_VALUE FIELD_GTIN FIELD_EXCEL_SCIENTIFIC FIELD_AMBIGUOUS FIELD_CONTROL_CHAR
        CATALOG_STALE_CORRECTION""",
    "warning": """FILE_HEADER_UNKNOWN FILE_ENCODING_GUESSED ROW_QUOTE_REPAIRED FIELD_GTIN_PADDED
        FIELD_GTIN_RESTRICTED FIELD_MOJIBAKE FIELD_RULE FIELD_ITEM CATALOG_DUPLICATE_KEY CATALOG_GTIN_DUPLICATE
        CATALOG_REVERT""",
    "info": "FILE_PREAMBLE FILE_FOOTER FILE_HEADER_ALIAS ROW_BLANK CATALOG_DUPLICATE_ROW",
}

CODES: dict[str, Code] = {
    name: Code(name, severity) for severity, names in _BY_SEVERITY.items() for name in names.split()
}
