"""Encodings that are told by other signs than a mark: Unicode without one, escapes, the letters of a language."""

import unicodedata

import pytest

from sftp_gateway.catalog.read.source import Hints
from sftp_gateway.catalog.read.text import asian, survey
from sftp_gateway.catalog.read.text import encoding as encodings
from tests.unit.reading import read

THAI = ["โคมไฟตั้งพื้นสำหรับห้องนั่งเล่น", "เก้าอี้ครัวไม้", "ผ้าห่มนุ่ม สีเทาอ่อน", "ผ้าเช็ดตัวสีเหลือง"]
JAPANESE = ["リビング用フロアランプ", "木製キッチンチェア", "黄色いタオル", "挽きたてのコーヒー豆、500g"]
TEXTS = {
    "cp874": THAI,
    "tis-620": THAI,
    "koi8-u": ["Кухонний стілець із берези", "Різнокольорові подушки", "Жовтий рушник", "М'який плед, ґатунок"],
    "cp1125": ["Кухонний стілець із берези", "Різнокольорові подушки", "Жовтий рушник", "Стіл заввишки 70 см"],
    "cp862": ["מנורת רצפה לסלון", "כיסא מטבח מעץ", "שמיכה רכה, אפור בהיר", "מגבת צהובה"],
    "cp737": ["Φωτιστικό δαπέδου για σαλόνι", "Καρέκλα κουζίνας", "Μαλακή κουβέρτα", "Κίτρινη πετσέτα"],
    "cp857": [
        "Huş ağacından sandalye",
        "Pamuklu yastık kılıfı",
        "Yumuşak battaniye, açık gri",
        "Yüksekliği ayarlı masa",
    ],
    "cp775": ["Pagalvės užvalkalas", "Ąžuolinė lentelė", "Minkštas pledas, šviesiai pilkas", "Maža dėžutė"],
    "cp1258": ["Ghế nhà bếp bằng gỗ", "Chăn mềm, màu xám nhạt", "Cà phê mới xay", "Thớt gỗ sồi"],
    "iso8859-15": ["Bœuf séché façon maison", "Cœur de palmier", "Crème légère, été", "Sœur et frère"],
    "cp1252": ["Café table ½ inch", "Crème brûlée set", "Piñata for kids", "Smörgås board"],
}


def _tones_apart(letter, encoding):
    """Vietnamese writes tones behind their letters in Windows-1258, which has not all letters with each tone."""
    apart = unicodedata.normalize("NFD", letter)
    tone = next((sign for sign in apart if sign in "\u0300\u0301\u0303\u0309\u0323"), "")
    return unicodedata.normalize("NFC", apart.replace(tone, "")) + tone if encoding == "cp1258" and tone else letter


def table(names):
    lines = [f'A{number},"{name}",blue,{number}.50' for number, name in enumerate(names)]
    return "\r\n".join(["sku,name,color,msrp", *lines, ""])


@pytest.mark.parametrize("rows", [1, 4, 40])
@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"])
def test_unicode_without_a_mark_is_told(tmp_path, encoding, rows):
    names = [(THAI[number % 4] + ", 😀 " + JAPANESE[number % 4]) * 3 for number in range(rows)]
    found = read(tmp_path, table(names).encode(encoding))
    assert found.source.format.encoding == encoding
    assert [row[1] for row in found.rows] == names
    assert found.source.findings == ()


def test_a_row_with_nuls_makes_no_unicode_of_a_file(tmp_path):
    lines = [f"A{number},Lamp,blue,1" for number in range(40)]
    text = "\n".join(["sku,name,color,msrp", *lines, "B,La\0m\0p\0s\0,red,2", ""])
    found = read(tmp_path, text.encode())
    assert found.source.format.encoding == "utf-8"
    assert len(found.rows) == 41


@pytest.mark.parametrize("encoding", TEXTS)
def test_a_language_tells_its_encodings(tmp_path, encoding):
    names = TEXTS[encoding]
    data = "".join(_tones_apart(letter, encoding) for letter in table(names)).encode(encoding)
    found = read(tmp_path, data)
    assert [row[1] for row in found.rows] == [row.split('"')[1] for row in data.decode(encoding).splitlines()[1:]]
    assert [finding.code for finding in found.source.findings] == ["FILE_ENCODING_GUESSED"]


@pytest.mark.parametrize("rows", [1, 4, 400])
def test_japanese_with_escapes_is_read(tmp_path, rows):
    names = [JAPANESE[number % 4] for number in range(rows)]
    found = read(tmp_path, table(names).encode("iso2022_jp"))
    assert [row[1] for row in found.rows] == names
    assert [finding.code for finding in found.source.findings] == ["FILE_ENCODING_GUESSED"]


def test_japanese_with_escapes_is_read_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("sftp_gateway.catalog.read.bounds.BLOCK_BYTES", 1000)
    names = [JAPANESE[number % 4] for number in range(400)]
    found = read(tmp_path, table(names).encode("iso2022_jp"))
    assert [row[1] for row in found.rows] == names
    assert found.raws[399] == f'A399,"{names[399]}",blue,399.50'.encode("iso2022_jp")


@pytest.mark.parametrize("rows", [1, 30])
@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1257", "Gaiša kaste, žurnāls, dēlītis, krūze"),
        ("cp1250", "Svježe mljevena kava, džem, ručnik, šareni"),
        ("cp1254", "Meşe ağacından sandalye, yastık kılıfı"),
        ("cp1252", "Þvottavél, gólf, hæð, þurrkari, ljósgrátt"),
        ("iso8859-15", "déjà été légère " * 12 + "cœur"),
    ],
)
def test_frequent_letters_decide_between_languages_that_have_them_all(tmp_path, encoding, text, rows):
    found = read(tmp_path, table([text] * rows).encode(encoding))
    assert {row[1] for row in found.rows} == {text}


WESTERN = ["Café table ½ inch", "Crème brûlée set", "Piñata für Kinder", "Smörgås board"]


def in_two_encodings(ours, theirs):
    """A file that was joined from two: so many rows in UTF-8, and behind them so many in Windows-1252."""
    rows = [f"A{number},{WESTERN[number % 4]},blue,1.50\n" for number in range(ours + theirs)]
    return b"sku,name,color,msrp\n" + "".join(rows[:ours]).encode() + "".join(rows[ours:]).encode("cp1252")


@pytest.mark.parametrize(("ours", "theirs"), [(2, 2), (100, 100), (40, 100), (100, 40), (3000, 3000)])
def test_of_a_file_in_two_encodings_the_rows_in_utf8_are_read_and_the_others_rejected(tmp_path, ours, theirs):
    """As one in the other encoding, its UTF-8 would be published as other letters (CafÃ©)."""
    found = read(tmp_path, in_two_encodings(ours, theirs))
    assert [row[1] for row in found.rows] == [WESTERN[number % 4] for number in range(ours)]
    assert {item.finding.code for item in found.rejects} == {"ROW_ENCODING"} and len(found.rejects) == theirs


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1251", ["ДІМ ДІТЕЙ", "СІЛЬ", "ПІВНІЧ", "РІЧ"]),
        ("cp1252", ["BEAUTÉ® crème", "QUALITÉ® été", "«CAFÉ» noir à boire", "CAFÉ®"]),
        ("cp866", ["сан", "рама", "туман", "страна"]),
        ("cp1250", ["Žluťoučký kůň", "CĂŞTI", "RĂŞINĂ", "Ľadový čaj"]),
        ("gb18030", ["男", "女", "女", "男"]),
        ("gb18030", ["迷", "牛", "简体中文商品", "迷你"]),
        ("cp932", ["表ソ能", "木製キッチンチェア", "靴", "鞄"]),
    ],
)
def test_rows_that_happen_to_be_utf8_do_not_make_others_damage(tmp_path, encoding, names):
    found = read(tmp_path, table(names * 10).encode(encoding))
    assert found.source.format.encoding != "utf-8" and not found.rejects


@pytest.mark.parametrize(("encoding", "told"), [("cp1252", "cp1252"), ("utf-8", "utf-8")])
def test_letters_of_blocks_that_are_no_utf8_are_not_counted_as_such(encoding, told):
    """Or a long file with few accents in its first block, and many behind it, is UTF-8 with all of these damaged."""
    first = (table(["Caf\u00e9 table"] * 1200)).encode("cp1252")
    more = [table(["Cr\u00e8me br\u00fbl\u00e9e"] * 2000).encode(encoding)] * 3
    assert encodings.told(survey.of([first, *more]), Hints()).name == told


PLACES = [
    "Køge",
    "Málaga",
    "Göteborg",
    "Zürich",
    "São_Paulo",
    "Tromsø",
    "Kraków",
    "Reykjavík",
    "Besançon",
    "Østerbro",
    "Piñar",
    "Sør-Trøndelag",
]
OTHERS = [
    ("cp1250", ["Jiří Dvořák", "Kateřina Kučerová", "Řehoř Křížek"]),
    ("cp1250", ["Petar Kovačević", "Željko Babić"]),
    ("cp1250", ["Stanisław Łęcki", "Żółć"]),
    ("cp1257", ["Ąžuolų g. 5, Šiauliai", "Rūta Kavaliauskaitė"]),
    ("cp1257", ["Jānis Bērziņš", "Ķekava"]),
    ("cp1253", ["Νίκος", "Αθήνα", "Πάτρα", "Μαρία"]),
    ("cp1251", ["Москва", "Уфа", "Самара"]),
    ("cp1254", ["Şişli", "Beyoğlu", "Kadıköy"]),
]


@pytest.mark.parametrize("count", [2, 3, 5, 12])
@pytest.mark.parametrize("first", range(12))
def test_names_of_many_western_countries_are_western(tmp_path, first, count):
    names = [PLACES[(first + place) % len(PLACES)] for place in range(count)]
    assert [row[1] for row in read(tmp_path, table(names).encode("cp1252")).rows] == names


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("encoding", "names"), OTHERS)
def test_names_of_another_country_are_not(tmp_path, encoding, names, count):
    names = names * count
    assert [row[1] for row in read(tmp_path, table(names).encode(encoding)).rows] == names


def test_a_sample_that_ends_inside_a_character_tells_its_encoding_all_the_same():
    assert asian.guess(("大阪 ボルト、学校 報告" * 6).encode("euc_jp")[:-1]) == "euc_jp"


HEADERS = {
    "shift_jis": ["商品番号", "価格", "数量 カメラ"],
    "gb18030": ["商品 编号", "北京 地址", "价格"],
    "big5": ["商品名稱", "價格", "數量"],
    "euc_jp": ["商品番号", "価格", "数量 カメラ"],
    "euc_kr": ["상품 번호", "가격", "재고 수량"],
}
GOODS = {
    "gb18030": ["蓝色棉质衬衫 夏季 透气", "不锈钢保温杯 500毫升", "实木餐桌椅组合"],
    "big5": ["藍色棉質襯衫 夏季 透氣", "不鏽鋼保溫杯 500毫升", "實木餐桌椅組合"],
    "shift_jis": ["綿100% 半袖シャツ ブルー", "ステンレス製水筒 500ml", "本革財布 二つ折り"],
    "euc_jp": ["綿100% 半袖シャツ ブルー", "ステンレス製水筒 500ml", "本革財布 二つ折り"],
    "euc_kr": ["면 반팔 셔츠 블루", "스테인리스 보온병 500ml", "소가죽 지갑 반지갑"],
}


@pytest.mark.parametrize("encoding", GOODS)
@pytest.mark.parametrize("which", range(3))
def test_the_name_of_one_product_tells_the_encoding_of_a_language_of_asia(tmp_path, encoding, which):
    data = f"sku,name,msrp\r\nA,{GOODS[encoding][which]},1\r\n"
    assert read(tmp_path, data.encode(encoding)).rows == [("A", GOODS[encoding][which], "1")]


@pytest.mark.parametrize("encoding", HEADERS)
def test_a_few_words_of_chinese_japanese_or_korean_tell_their_encoding(tmp_path, encoding):
    """They were read as letters of Windows-1252, Mac Roman or Thai."""
    data = "sku,name,msrp\r\n" + "".join(f"A{n},{name},1\r\n" for n, name in enumerate(HEADERS[encoding]))
    assert [row[1] for row in read(tmp_path, data.encode(encoding)).rows] == HEADERS[encoding]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("iso8859_2", ["książka", "źródło żółty", "gęś", "jaźń"]),
        ("cp852", ["KSIĄŻKA 20°C", "ŻÓŁTY", "Miejscowość"]),
        ("cp1251", ["КОЛИЧЕСТВО", "ИВАНОВ", "ДАТА ВОДА"]),
        ("mac_roman", ["théâtre", "élève", "région été"]),
        ("koi8_r", ["синяя рубашка", "детские кроссовки"]),
        ("cp874", ["ผ้าห่มนุ่ม", "เก้าอี้ครัวไม้"]),
        ("cp1253", ["Μπλε πουκάμισο", "Παιδικά παπούτσια"]),
    ],
)
def test_accents_and_capitals_beside_each_other_are_no_asian_characters(encoding, words):
    assert not asian.guess("\n".join(words).encode(encoding))
