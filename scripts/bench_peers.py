"""What people write themselves: the peers of the bench, each run as a process of its own.

    bench_peers.py convert TABLE OUT | images TABLE OUT | merge TABLE OUT RESULTS...
"""

import base64
import csv
import json
import os
import sys

PROMPT = "Rate the sentiment of this review: {}"


def convert(table, out):
    with open(table, encoding="utf-8", newline="") as source, open(out, "w", encoding="utf-8") as to:
        for number, row in enumerate(csv.DictReader(source)):
            body = {"model": "gpt-4o-mini", "max_tokens": 100,
                    "messages": [{"role": "user", "content": PROMPT.format(row["review"])}]}
            to.write(json.dumps({"custom_id": f"row_{number}", "method": "POST",
                                 "url": "/v1/chat/completions", "body": body}, ensure_ascii=False))
            to.write("\n")


def images(table, out):
    folder = os.path.dirname(table)
    with open(table, encoding="utf-8", newline="") as source, open(out, "w", encoding="utf-8") as to:
        for number, row in enumerate(csv.DictReader(source)):
            with open(os.path.join(folder, row["image"]), "rb") as picture:
                data = base64.b64encode(picture.read()).decode()
            content = [{"type": "text", "text": row["question"]},
                       {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}]
            body = {"model": "gpt-4o", "messages": [{"role": "user", "content": content}]}
            to.write(json.dumps({"custom_id": f"row_{number}", "method": "POST",
                                 "url": "/v1/chat/completions", "body": body}))
            to.write("\n")


def merge(table, out, *results):
    answers = {}
    for path in results:
        with open(path, encoding="utf-8") as source:
            for line in source:
                result = json.loads(line)
                body = result["response"]["body"]
                answers[result["custom_id"]] = body["choices"][0]["message"]["content"]
    ids = {int(custom_id.split("-")[1]): answer for custom_id, answer in answers.items()}
    with open(table, encoding="utf-8", newline="") as source, \
            open(out, "w", encoding="utf-8", newline="") as to:
        reader, writer = csv.reader(source), csv.writer(to)
        writer.writerow(next(reader) + ["response"])
        for number, row in enumerate(reader):
            writer.writerow(row + [ids.get(number, "")])


if __name__ == "__main__":
    {"convert": convert, "images": images, "merge": merge}[sys.argv[1]](*sys.argv[2:])
