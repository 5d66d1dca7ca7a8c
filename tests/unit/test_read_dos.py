"""Text of DOS programs: its code pages are told by the letters of the languages written in them."""

import pytest

from tests.unit.reading import read

TEXTS = {
    "polish": ["Łóżko sosnowe żółte", "Krzesło dębowe", "Półka na książki", "Świecznik miedziany", "Gęś ceramiczna"],
    "czech": ["Židle dřevěná", "Stůl kulatý", "Lampa žlutá", "Příbor nerezový", "Křeslo šedé"],
    "hungarian": ["Fehér szék", "Gyűrű ezüst", "Fűzött könyv", "Sárga lámpa", "Törölköző"],
}


@pytest.mark.parametrize("encoding", ["cp852", "cp1250", "iso8859_2"])
@pytest.mark.parametrize("language", TEXTS)
def test_central_european_text_is_read_right(tmp_path, language, encoding):
    lines = ["sku,name,msrp", *[f"A{number},{name},1" for number, name in enumerate(TEXTS[language])]]
    found = read(tmp_path, "\r\n".join([*lines, ""]).encode(encoding))
    assert [row[1] for row in found.rows] == TEXTS[language]
