"""What people write themselves: the peers of the bench, each run as a process of its own.

    bench_peers.py convert TABLE OUT | convert_orjson TABLE OUT | images TABLE OUT
                 | merge TABLE OUT RESULTS... | merge_duckdb TABLE OUT RESULTS | tokens TABLE OUT
"""

import base64
import csv
import json
import os
import sys
import time

PROMPT = "Rate the sentiment of this review: {}"


def convert(table, out):
    with open(table, encoding="utf-8", newline="") as source, open(out, "w", encoding="utf-8") as to:
        for number, row in enumerate(csv.DictReader(source)):
            body = {"model": "gpt-4o-mini", "max_tokens": 100,
                    "messages": [{"role": "user", "content": PROMPT.format(row["review"])}]}
            to.write(json.dumps({"custom_id": f"row_{number}", "method": "POST",
                                 "url": "/v1/chat/completions", "body": body}, ensure_ascii=False))
            to.write("\n")


def convert_orjson(table, out):
    import orjson
    with open(table, encoding="utf-8", newline="") as source, open(out, "wb") as to:
        reader = csv.reader(source)
        review = next(reader).index("review")
        for number, row in enumerate(reader):
            body = {"model": "gpt-4o-mini", "max_tokens": 100,
                    "messages": [{"role": "user", "content": PROMPT.format(row[review])}]}
            to.write(orjson.dumps({"custom_id": f"row_{number}", "method": "POST",
                                   "url": "/v1/chat/completions", "body": body},
                                  option=orjson.OPT_APPEND_NEWLINE))


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


def merge_duckdb(table, out, results):
    import duckdb
    duckdb.execute(f"""
        COPY (
            SELECT t.* EXCLUDE (n), r.response
            FROM (SELECT row_number() OVER () - 1 AS n, *
                  FROM read_csv('{table}', all_varchar = true)) t
            LEFT JOIN (SELECT split_part(custom_id, '-', 2)::BIGINT AS n,
                              response.body.choices[1].message.content AS response
                       FROM read_json('{results}', format = 'newline_delimited', columns = {{
                           custom_id: 'VARCHAR',
                           response: 'STRUCT(body STRUCT(choices STRUCT(message STRUCT(content VARCHAR))[]))'
                       }})) r USING (n)
            ORDER BY n
        ) TO '{out}' (HEADER)""")


def tokens(table, out):
    """Only the counting is timed: the vocabulary and the texts lie in memory before."""
    import tiktoken
    encoding = tiktoken.get_encoding("o200k_base")
    with open(table, encoding="utf-8", newline="") as source:
        texts = [PROMPT.format(row["review"]) for row in csv.DictReader(source)]
    start, cpu = time.perf_counter(), time.process_time()
    count = sum(len(encoding.encode_ordinary(text)) for text in texts)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    with open(out, "w", encoding="utf-8") as to:
        json.dump({"tokens": count, "seconds": seconds, "cpu": cpu}, to)


if __name__ == "__main__":
    {f.__name__: f for f in (convert, convert_orjson, images, merge, merge_duckdb, tokens)}[sys.argv[1]](
        *sys.argv[2:])
