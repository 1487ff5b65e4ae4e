"""Makes the workbook of scripts/xlsx-check.sh and compares what LibreOffice sees of it."""

import csv
import pathlib
import re
import sys

NAMES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "number": "urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0",
    "of": "urn:oasis:names:tc:opendocument:xmlns:of:1.2",
}
STYLES = """
<number:date-style style:name="D"><number:year number:style="long"/><number:text>-</number:text>
<number:month number:style="long"/><number:text>-</number:text><number:day number:style="long"/></number:date-style>
<number:date-style style:name="C"><number:year number:style="long"/><number:text>年</number:text>
<number:month/><number:text>月</number:text><number:day/><number:text>日</number:text></number:date-style>
<number:date-style style:name="M"><number:year number:style="long"/><number:text>-</number:text>
<number:month number:style="long"/><number:text>-</number:text><number:day number:style="long"/><number:text> </number:text>
<number:hours number:style="long"/><number:text>:</number:text><number:minutes number:style="long"/>
<number:text>:</number:text><number:seconds number:style="long"/></number:date-style>
<number:percentage-style style:name="P"><number:number number:decimal-places="2" number:min-integer-digits="1"/>
<number:text>%</number:text></number:percentage-style>
<number:number-style style:name="Z"><number:number number:decimal-places="0" number:min-integer-digits="3"/></number:number-style>
<number:number-style style:name="I"><number:number number:decimal-places="0" number:min-integer-digits="1"/></number:number-style>
"""
# One cell is (kind, value) or (kind, value, formula); `merged` spans two columns.
HEADER = ["id", "text", "day", "日期", "moment", "share", "code", "padded", "big", "half", "sum",
          "joined", "yes", "merged", "", "note", "note"]
ROWS = [
    [("s", "110101199003070012"), ("s", "很好，下次再来"), ("D", "2026-11-21"), ("C", "2024-02-29"),
     ("M", "2026-11-21T08:05:00"), ("P", "0.1234"), ("s", "007"), ("Z", "7"), ("I", "123456789012"),
     ("n", "12.5"), ("n", "25", "of:=[.J2]*2"), ("s", "007-x", 'of:=[.G2]&"-x"'), ("b", "true"),
     ("merged", "two columns"), None, ("s", "=1+1"), ("s", "say \"hi\", ok")],
    [("s", "0012"), ("s", "line one\nline two"), ("D", "1999-12-31"), None,
     ("M", "2000-01-01T00:00:00"), ("P", "1"), ("s", "1E5"), ("Z", "42"), ("I", "0"),
     ("n", "-0.001"), ("n", "-0.002", "of:=[.J3]*2"), ("s", "1E5-x", 'of:=[.G3]&"-x"'),
     ("b", "false"), ("merged", "合并的"), None, ("s", "'quoted"), ("s", "  spaced  ")],
    [("s", "3"), ("s", "👍 emoji and 𠮷"), None, None, None, None, None, None, None, None, None,
     None, None, None, None, None, None],
    [("s", "99999999999999999999"), ("s", "last"), ("D", "2026-01-01"), ("C", "2026-12-01"),
     ("M", "2026-06-30T23:59:59"), ("P", "-0.5"), ("s", "+86 138"), ("Z", "1000"), ("I", "-17"),
     ("n", "3.14159265358979"), ("n", "6.28318530717958", "of:=[.J5]*2"),
     ("s", "+86 138-x", 'of:=[.G5]&"-x"'), ("b", "true"), ("s", "a"), ("s", "b"), ("s", "1,5"),
     ("s", "1;5")],
]


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def cell(given):
    if given is None:
        return "<table:table-cell/>"
    kind, value = given[:2]
    formula = f' table:formula="{escape(given[2])}"' if len(given) > 2 else ""
    lines = "".join(
        f'<text:p>{re.sub("  +", lambda m: f"""<text:s text:c="{len(m.group())}"/>""", escape(line))}</text:p>'
        for line in value.split("\n")
    )
    if kind == "merged":
        return (f'<table:table-cell office:value-type="string" table:number-columns-spanned="2">{lines}'
                "</table:table-cell>")
    if kind == "s":
        return f'<table:table-cell office:value-type="string"{formula}>{lines}</table:table-cell>'
    if kind == "b":
        return f'<table:table-cell office:value-type="boolean" office:boolean-value="{value}"/>'
    types = {"D": "date", "C": "date", "M": "date", "P": "percentage", "n": "float"}
    what = types.get(kind, "float")
    attribute = "date-value" if what == "date" else "value"
    style = "" if kind == "n" else f' table:style-name="c{kind}"'
    return f'<table:table-cell{style} office:value-type="{what}" office:{attribute}="{value}"{formula}/>'


def make(path):
    spaces = " ".join(f'xmlns:{name}="{uri}"' for name, uri in NAMES.items())
    cells = "".join(
        f'<style:style style:name="c{kind}" style:family="table-cell" style:data-style-name="{kind}"/>'
        for kind in "DCMPZI"
    )
    header = "".join(cell(("s", name)) if name else cell(None) for name in HEADER)
    rows = "".join(
        "<table:table-row>"
        + "".join("<table:covered-table-cell/>" if i and row[i - 1] and row[i - 1][0] == "merged"
                  else cell(one) for i, one in enumerate(row))
        + "</table:table-row>"
        for row in ROWS
    )
    second = "".join(
        f"<table:table-row>{cell(('s', a))}{cell(('s', b))}</table:table-row>"
        for a, b in [("words", "数"), ("second sheet", "007"), ("第二张", "=2+2")]
    )
    pathlib.Path(path).write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {spaces} office:version="1.2" '
        'office:mimetype="application/vnd.oasis.opendocument.spreadsheet">'
        f"<office:automatic-styles>{STYLES}{cells}</office:automatic-styles><office:body><office:spreadsheet>"
        f'<table:table table:name="数据 1"><table:table-row>{header}</table:table-row>{rows}</table:table>'
        f'<table:table table:name="other">{second}</table:table>'
        "</office:spreadsheet></office:body></office:document>",
        encoding="utf-8",
    )


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [row for row in csv.reader(file) if any(row)]


def same(before, after, where):
    """Every cell has its value: as one would type it into LibreOffice."""
    assert len(before) == len(after), (where, len(before), len(after))
    wrong = []
    for number, (old, new) in enumerate(zip(before, after)):
        for place, cell in enumerate(old):
            # LibreOffice types a day by the cell's own format; ours is always ISO.
            iso = re.sub(r"^(\d\d)/(\d\d)/(\d{4})(?= |$)", r"\3-\1-\2", cell)
            if new[place] not in (cell, iso):
                wrong.append((where, number, place, cell, new[place]))
    assert not wrong, wrong
    return sum(len(row) for row in before)


def looks_same(shown, values, after, where):
    """What is shown as it is, and what is shown with leading zeros, is shown so afterwards too.
    Thousands, rounding and the order of a day's parts are no part of a value."""
    for old, value, new in zip(shown, values, after):
        for cell, plain, got in zip(old, value, new):
            if cell == plain or cell.isdigit():
                assert got == cell, (where, cell, got)


def compare():
    cells = 0
    values, shown = pathlib.Path("seen-false"), pathlib.Path("seen-true")
    pairs = [
        ("fixture-评论 2026.csv", "fixture-out-评论 2026.csv"),
        ("awkward-数据 1.csv", "awkward-out-数据 1.csv"),
        ("awkward-other.csv", "second-out-other.csv"),
    ]
    for given, out in pairs:
        before, after = read(values / given), read(values / out)
        cells += same(before, after, out)
        looks_same(read(shown / given), before, read(shown / out), out)
        answers = [row[len(before[0])] for row in after[1:]]
        assert all(a.startswith("[sandbox] =1+1 ") or not a for a in answers), answers
        assert any(answers), out
    # As a table of text the cells have the same values.
    before, text = read(values / pairs[1][0]), read("awkward-out.csv")
    text[0][0] = text[0][0].removeprefix("\ufeff")
    padded = HEADER.index("padded")
    for row in text[1:]:
        row[padded] = row[padded].lstrip("0")
    same(before, text, "awkward-out.csv")
    exploded = read(shown / "exploded-out-数据 1.csv")
    assert len(exploded) == len(ROWS) + 1, exploded
    print(f"{cells} cells are the same in LibreOffice, answers are texts")


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    compare()
