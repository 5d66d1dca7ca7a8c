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


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Товар, красная\xa0куртка для зимы"),
        ("cp1255", "חולצת\xa0כותנה כחולה"),
        ("cp437", "Schuhe\xa0für Größe\xa042"),
        ("cp1250", "Żółta\xa0łódź, świąteczny\xa0płaszcz"),
        ("cp1252", "Chair\xa0oak"),
        ("iso8859-15", "Größe œuvre, 12 €"),
        ("iso8859-15", "Café, €\xa09"),
        ("mac-roman", "Lamp 12 €"),
        ("cp858", "Größe 12,50 €"),
        ("cp1256", "مرحبا بالعالم، حذاء جلد رجالي"),
    ],
)
def test_spaces_that_do_not_break_and_the_euro_of_iso_8859_15_mislead_nobody(tmp_path, encoding, text):
    found = read(tmp_path, f'sku,name\nS1,"{text}"\nS2,plain\n'.encode(encoding))
    assert found.rows == [("S1", text), ("S2", "plain")]
    assert [finding.code for finding in found.source.findings] == ["FILE_ENCODING_GUESSED"]


def test_the_euro_of_iso_8859_15_may_stand_in_more_names_than_amounts(tmp_path):
    found = read(tmp_path, "sku,msrp €,cost €,old €\nS1,12 €,3,4\n".encode("iso8859-15"))
    assert (found.source.headers[1], found.rows) == ("msrp €", [("S1", "12 €", "3", "4")])


def test_half_a_character_beside_a_figure_is_no_euro(tmp_path):
    text = "繁體中文商品，5月藍色襯衫很舒服"
    found = read(tmp_path, "".join(["sku,name\n", *(f'S{n},"{text}"\n' for n in range(9))]).encode("big5"))
    assert found.rows[0] == ("S0", text)
