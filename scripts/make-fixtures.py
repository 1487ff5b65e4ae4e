#!/usr/bin/env python3
"""Makes the fixtures that no editor writes well: tables in other encodings and dialects, derived
from the plain ones in fixtures/tables, and the pictures in fixtures/images.

    python3 -m venv v && v/bin/pip install pillow && v/bin/python scripts/make-fixtures.py

The results are committed; run it again only to change them.
"""

import csv
import io
from pathlib import Path

from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent / "fixtures"
TABLES = ROOT / "tables"
IMAGES = ROOT / "images"


def dialect(rows, delimiter, terminator, quoting=csv.QUOTE_MINIMAL):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=terminator, quoting=quoting).writerows(rows)
    return out.getvalue()


def tables():
    chinese = (TABLES / "评论.csv").read_text("utf-8")
    english = (TABLES / "reviews.csv").read_text("utf-8")
    chinese_rows = list(csv.reader(io.StringIO(chinese)))
    english_rows = list(csv.reader(io.StringIO(english)))
    # Excel on a Chinese Windows writes the code page, which has neither emoji nor most symbols.
    plain = [[c.replace("😂", "").replace("～", "~") for c in row] for row in chinese_rows]
    (TABLES / "reviews-gb18030.csv").write_bytes(dialect(plain, ",", "\r\n").encode("gb18030"))
    (TABLES / "reviews-bom-crlf.csv").write_bytes(
        dialect(chinese_rows, ",", "\r\n").encode("utf-8-sig")
    )
    (TABLES / "reviews-utf16le.csv").write_bytes(
        b"\xff\xfe" + dialect(chinese_rows, "\t", "\r\n").encode("utf-16-le")
    )
    (TABLES / "reviews-semicolon.csv").write_text(dialect(english_rows, ";", "\n"), "utf-8")
    (TABLES / "reviews.tsv").write_text(dialect(english_rows, "\t", "\n"), "utf-8")
    (TABLES / "reviews-all-quoted.csv").write_text(
        dialect(english_rows, ",", "\n", csv.QUOTE_ALL).removesuffix("\n"), "utf-8"
    )
    latin = [row for row in english_rows if all(ord(ch) < 256 for cell in row for ch in cell)]
    (TABLES / "reviews-latin1.csv").write_bytes(
        dialect(latin + [["1021", "Maß", "Größe passt, schöne Farbe, für Köln genügt's", "4"]],
                ",", "\r\n").encode("latin-1")
    )


def canvas(colour, size=(96, 96)):
    image = Image.new("RGB", size, colour)
    return image, ImageDraw.Draw(image)


def cat():
    image, draw = canvas("#fff4e0")
    draw.polygon([(20, 40), (26, 8), (46, 28)], fill="#e08a3c")
    draw.polygon([(76, 40), (70, 8), (50, 28)], fill="#e08a3c")
    draw.ellipse([16, 22, 80, 86], fill="#e08a3c")
    for x in (36, 60):
        draw.ellipse([x - 6, 42, x + 6, 56], fill="white")
        draw.ellipse([x - 2, 44, x + 2, 56], fill="black")
    draw.polygon([(44, 62), (52, 62), (48, 67)], fill="#c05050")
    for y in (62, 68):
        draw.line([(6, y - 2), (34, y)], fill="black")
        draw.line([(90, y - 2), (62, y)], fill="black")
    return image


def fish():
    image, draw = canvas("#bfe3f5")
    draw.polygon([(66, 48), (90, 28), (90, 68)], fill="#f2a900")
    draw.ellipse([12, 28, 74, 68], fill="#f2a900")
    draw.ellipse([22, 40, 30, 48], fill="black")
    for x, y, r in ((10, 22, 4), (16, 12, 3), (8, 6, 2)):
        draw.ellipse([x - r, y - r, x + r, y + r], outline="white")
    return image


def mountain():
    image, draw = canvas("#9fd0ff", (128, 96))
    draw.ellipse([96, 8, 118, 30], fill="#ffd84a")
    draw.polygon([(0, 70), (40, 18), (80, 70)], fill="#6b7a8f")
    draw.polygon([(30, 31), (40, 18), (50, 31)], fill="white")
    draw.polygon([(50, 70), (90, 34), (128, 70)], fill="#54627a")
    draw.rectangle([0, 70, 128, 96], fill="#2f6fa8")
    return image


def flower():
    image, draw = canvas("#e9f7e4")
    draw.line([(48, 50), (48, 94)], fill="#2e8b3d", width=5)
    for x, y in ((48, 22), (70, 36), (62, 60), (34, 60), (26, 36)):
        draw.ellipse([x - 14, y - 14, x + 14, y + 14], fill="#d63031")
    draw.ellipse([38, 32, 58, 52], fill="#ffd32a")
    return image


def chart():
    image, draw = canvas("white", (120, 90))
    for at, (height, colour) in enumerate(((30, "#4c78a8"), (48, "#f58518"), (66, "#54a24b"), (22, "#b279a2"))):
        draw.rectangle([18 + at * 24, 80 - height, 34 + at * 24, 80], fill=colour)
    draw.line([(10, 8), (10, 80), (114, 80)], fill="black", width=2)
    return image


def stop():
    image, draw = canvas("#dfe6e9")
    draw.regular_polygon((48, 48, 42), 8, rotation=22, fill="#d63031", outline="white")
    draw.text((30, 36), "STOP", fill="white", font_size=16)
    return image


def house():
    image, draw = canvas("#cdeafe")
    draw.rectangle([20, 44, 76, 88], fill="#f5deb3")
    draw.polygon([(12, 46), (48, 12), (84, 46)], fill="#c0392b")
    draw.rectangle([42, 60, 56, 88], fill="#2980b9")
    draw.rectangle([26, 54, 38, 66], fill="white", outline="black")
    draw.rectangle([0, 88, 96, 96], fill="#6ab04c")
    return image


def images():
    broken = IMAGES / "broken"
    broken.mkdir(parents=True, exist_ok=True)
    cat().save(IMAGES / "cat.png", optimize=True)
    fish().quantize(16).save(IMAGES / "fish.gif")
    mountain().save(IMAGES / "mountain.jpg", quality=80)
    flower().save(IMAGES / "flower.webp", lossless=True)
    chart().save(IMAGES / "chart.png", optimize=True)
    stop().save(IMAGES / "stop.jpg", quality=80)
    house().save(IMAGES / "house.png", optimize=True)
    (broken / "truncated.png").write_bytes((IMAGES / "cat.png").read_bytes()[:20])
    (broken / "text.png").write_text("this is not a picture\n")
    mountain().save(broken / "really-a-jpeg.png", format="JPEG", quality=60)
    fish().resize((16, 16)).save(broken / "bitmap.bmp")


if __name__ == "__main__":
    tables()
    images()
