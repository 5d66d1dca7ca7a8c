"""Workbooks made by hand, so that they can say of themselves what no library writes."""

import io
import struct
import zipfile

import xlwt


def xls(*dimensions):
    """A workbook whose sheet says it reaches over (first row, row after the last, first column, column after the last)."""
    out, book = io.BytesIO(), xlwt.Workbook()
    place = book.add_sheet("Products")
    for number, row in enumerate([["sku", "name"], ["A", "a"]]):
        for column, value in enumerate(row):
            place.write(number, column, value)
    book.save(out)
    data = bytearray(out.getvalue())
    record = data.index(b"\x00\x02\x0e\x00" + struct.pack("<IIHH", 0, 2, 0, 2)) + 4
    struct.pack_into("<IIHH", data, record, *dimensions)
    return bytes(data)


def shared_xls(book):
    """A short workbook in the sectors that short streams share, behind another stream, as some programs write it."""
    stream = book.get_biff_data()
    used = -(-len(stream) // 64)
    mini = (b"note".ljust(64, b"\0") + stream.ljust(64 * used, b"\0")).ljust(4096, b"\0")
    chain = [-2, *range(2, used + 1), -2]
    entries = [("Root Entry", 5, 3, len(mini)), ("Note", 2, 0, 4), ("Workbook", 2, 1, len(stream)), ("", 0, 0, 0)]
    directory = b"".join(
        name.encode("utf-16-le").ljust(64, b"\0")
        + struct.pack("<HBB12s36sIII", 2 * len(name) + 2, kind, 1, b"\xff" * 12, b"", start, size, 0)
        for name, kind, start, size in entries
    )
    head = bytes.fromhex("d0cf11e0a1b11ae1").ljust(24, b"\0") + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    head = (head + struct.pack("<10i", 0, 1, 1, 0, 4096, 2, 1, -2, 0, 0)).ljust(512, b"\xff")
    fat = [-3, -2, -2, *range(4, 3 + len(mini) // 512), -2]
    tables = [struct.pack(f"<{len(table)}i", *table).ljust(512, b"\xff") for table in (fat, chain)]
    return head + tables[0] + directory + tables[1] + mini


def xlsx(rows, *, part="xl/worksheets/sheet1.xml", unique=1, header="", above=""):
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    book = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" '
        f'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{book}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="a" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="a"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="a" Type="{office}/worksheet" Target="/{part}"/>'
        f'<Relationship Id="b" Type="{office}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}" uniqueCount="{unique}"><si><t>sku</t></si></sst>',
        part: f'<worksheet xmlns="{main}" xmlns:x="{main}">{above}<sheetData><row r="1"><c r="A1" t="s"><v>0</v></c>'
        '<c r="B1" t="str"><v>name</v></c>'
        f"{header}</row>"
        f"{rows}</sheetData></worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return out.getvalue()


def ods(row, header="sku"):
    names = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    names += 'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    names += 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    cell = (
        f'<table:table-cell office:value-type="string"><text:p>{header}</text:p></table:table-cell>' if header else ""
    )
    content = f"<office:document-content {names}><office:body><office:spreadsheet><table:table table:name='S'>"
    content += f"<table:table-row>{cell}</table:table-row>{row}</table:table>"
    content += "</office:spreadsheet></office:body></office:document-content>"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = 'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
        archive.writestr("META-INF/manifest.xml", f"<manifest:manifest {manifest}/>")
        archive.writestr("content.xml", '<?xml version="1.0" encoding="UTF-8"?>' + content)
    return out.getvalue()
