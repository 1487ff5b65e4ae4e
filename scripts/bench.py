"""The bench; see bench.sh."""

import argparse
import csv
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import zlib

from bench_peers import PROMPT
from bench_realtime import realtime
from measured import measured
from sandbox_child import clean_environment

HERE = pathlib.Path(__file__).resolve().parent
WORDS = ("good bad fast slow lid jacket sound battery screen 很好 一般 差评 物流 包装 颜色 质量 客服 "
         "would buy again never too small large \"quoted\" it's naïve 😀 price quality").split()


def make_table(path, rows, seed=41, texts_of=5000):
    """Chinese and English, quoted cells, one in twenty with a line break: about 240 bytes a row."""
    dice = random.Random(seed)
    texts = []
    for _ in range(texts_of):
        words = dice.choices(WORDS, k=dice.randint(15, 45))
        text = " ".join(words)
        texts.append(text.replace(" ", "\n", 1) if dice.random() < 0.05 else text)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "product", "review", "stars"])
        for number in range(rows):
            text = texts[number if texts_of == rows else dice.randrange(texts_of)]
            writer.writerow([number, f"Product {number % 997}", text, number % 5 + 1])


def make_images(folder, count, side=258):
    """Noise does not compress: each picture has about 200 KB, and no two are equal."""
    dice = random.Random(7)
    folder.mkdir(parents=True)

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    with (folder / "images.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "question"])
        for number in range(count):
            noise = dice.randbytes(side * side * 3)
            lines = b"".join(b"\0" + noise[at:at + side * 3]
                             for at in range(0, len(noise), side * 3))
            picture = head + chunk(b"IDAT", zlib.compress(lines, 0)) + chunk(b"IEND", b"")
            (folder / f"{number:05}.png").write_bytes(picture)
            writer.writerow([f"{number:05}.png", "What is on this picture?"])


def make_results(requests, out, seed=3):
    """A shuffled result for every request, as a provider would write it."""
    ids = []
    for path in requests:
        with path.open(encoding="utf-8") as file:
            ids += [json.loads(line)["custom_id"] for line in file]
    random.Random(seed).shuffle(ids)
    with out.open("w", encoding="utf-8") as file:
        for number, custom_id in enumerate(ids):
            body = {"id": f"chatcmpl-{number:024}", "object": "chat.completion",
                    "created": 1792000000, "model": "gpt-4o-mini",
                    "choices": [{"index": 0, "finish_reason": "stop",
                                 "message": {"role": "assistant", "refusal": None,
                                             "content": f"positive 正面 {custom_id} " + "because it is good " * 12}}],
                    "usage": {"prompt_tokens": 60, "completion_tokens": 50, "total_tokens": 110}}
            line = {"id": f"batch_req_{number:024}", "custom_id": custom_id,
                    "response": {"status_code": 200, "request_id": f"req_{number:024}", "body": body},
                    "error": None}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return len(ids)


class Bench:
    def __init__(self, binary, folder, rounds):
        self.binary, self.folder, self.rounds = binary, folder, rounds
        home = folder / "home"
        home.mkdir()
        own = {name: os.environ[name] for name in ("TIKTOKEN_CACHE_DIR",) if name in os.environ}
        self.env = clean_environment(HOME=str(home), BATCHCTL_HOME=str(home / "batchctl"), **own)

    def run(self, command, **env):
        result = measured(command, cwd=self.folder, env=self.env | env, log=str(self.folder / "log"))
        if result.code not in (0, 3):
            sys.exit(f"bench: {command} ended with {result.code}\n{result.stderr}")
        return result

    def ours(self, *arguments):
        return self.run([self.binary, *arguments])

    def peer(self, *arguments):
        return self.run([sys.executable, HERE / "bench_peers.py", *arguments])

    def if_there(self, module, name, *arguments):
        """A peer that needs a package, where this Python has it."""
        if importlib.util.find_spec(module) is None:
            print(f"no {module} in this Python: {name} is left out")
            return {}
        return {name: lambda: self.peer(*arguments)}

    def copied(self, files):
        to = self.folder / "copied"
        to.mkdir()
        result = self.run(["cp", *files, to])
        shutil.rmtree(to)
        return result

    def compare(self, title, contestants):
        """Each in turn, `rounds` times; the medians."""
        times = {name: [] for name in contestants}
        for _ in range(self.rounds):
            for name, run in contestants.items():
                times[name].append(run())
        print(f"\n{title}")
        print(f"  {'':22} {'time':>10}   {'cpu':>10}   {'peak':>11}   batchctl takes of time, of cpu")
        medians = {name: (statistics.median(r.seconds for r in runs),
                          statistics.median(r.cpu for r in runs)) for name, runs in times.items()}
        base = medians["batchctl"]
        for name, (seconds, cpu) in medians.items():
            peak = max(r.peak for r in times[name]) / 1e6
            ratio = "" if name == "batchctl" else f"{base[0] / seconds:8.3f} {base[1] / cpu:8.3f}"
            print(f"  {name:22} {seconds:8.2f} s   {cpu:8.2f} s   {peak:8.1f} MB   {ratio}",
                  flush=True)


def main():
    words = argparse.ArgumentParser(description="Times batchctl beside its peers.")
    words.add_argument("--rows", type=int, default=1_000_000)
    words.add_argument("--images", type=int, default=2_000)
    words.add_argument("--tokens", type=int, default=1_000_000)
    words.add_argument("--calls", type=int, default=50_000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("binary", nargs="?", default="target/release/batchctl")
    given = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="batchctl-bench-") as name:
        folder = pathlib.Path(name)
        bench = Bench(pathlib.Path(given.binary).resolve(), folder, given.rounds)
        if given.rows:
            text(bench, folder, given.rows)
        if given.images:
            pictures(bench, folder, given.images)
        if given.tokens:
            tokens(bench, folder, given.tokens)
        if given.calls:
            realtime(bench, folder, given.calls, make_table)


def tokens(bench, folder, rows):
    """Tokens a second: the whole of `estimate`, reading and planning included, on one processor
    and on two, against the counting alone in Python's tiktoken. No text comes twice."""
    if importlib.util.find_spec("tiktoken") is None:
        print("no tiktoken in this Python: the counting of tokens is left out")
        return
    table = folder / "tokens.csv"
    make_table(table, rows, texts_of=rows)
    ours = [bench.binary, "estimate", table, "--model", "gpt-4o-mini", "--max-tokens", "100",
            "--prompt", PROMPT.format("{review}")]
    shown = subprocess.run([*map(str, ours), "--json"], env=bench.env, cwd=folder, check=True,
                           capture_output=True).stdout
    # 3 tokens a message, 1 for the role, 3 for the reply.
    count = json.loads(shown)["estimate"]["text_tokens"] - 7 * rows
    runs = {"tiktoken": [], "one processor": [], "two processors": []}
    counted = folder / "tokens.json"
    processors = sorted(os.sched_getaffinity(0))[:2]
    for _ in range(bench.rounds):
        bench.peer("tokens", table, counted)
        peer = json.loads(counted.read_text())
        if peer["tokens"] != count:
            sys.exit(f"bench: we count {count} tokens, tiktoken {peer['tokens']}")
        runs["tiktoken"].append((peer["seconds"], peer["cpu"]))
        for name, some in (("one processor", processors[:1]), ("two processors", processors)):
            run = bench.run(["taskset", "-c", ",".join(map(str, some)), *ours])
            runs[name].append((run.seconds, run.cpu))
    print(f"\nestimate: {rows:,} rows, {megabytes([table])}, {count:,} tokens, the same in tiktoken "
          f"{importlib.metadata.version('tiktoken')}; load {os.getloadavg()[0]:.1f}")
    for name, times in runs.items():
        # Pairs of one round: a busy machine slows both alike.
        ratios = [[theirs[which] / mine[which] for mine, theirs in zip(times, runs["tiktoken"])]
                  for which in (0, 1)]
        seconds, cpu = (statistics.median(column) for column in zip(*times))
        print(f"  {name:15} {count / seconds / 1e6:7.2f} M tokens/s, {cpu:6.2f} s cpu   "
              f"{statistics.median(ratios[0]):6.2f} x tiktoken (pairs {min(ratios[0]):.2f} to "
              f"{max(ratios[0]):.2f}), by cpu {statistics.median(ratios[1]):.2f} x", flush=True)


def megabytes(files):
    return f"{sum(f.stat().st_size for f in files) / 1e6:,.0f} MB"


def text(bench, folder, rows):
    table = folder / "table.csv"
    make_table(table, rows)
    ours = ["convert", table, folder / "requests.jsonl", "--model", "gpt-4o-mini", "--max-tokens",
            "100", "--prompt", PROMPT.format("{review}"), "--overwrite"]
    bench.ours(*ours)
    requests = sorted(p for p in folder.glob("requests*.jsonl"))
    bench.compare(
        f"convert: {rows:,} rows, {megabytes([table])} in, {megabytes(requests)} out",
        {"batchctl": lambda: bench.ours(*ours),
         "csv + json.dumps": lambda: bench.peer("convert", table, folder / "peer.jsonl"),
         **bench.if_there("orjson", "csv + orjson", "convert_orjson", table, folder / "peer.jsonl"),
         "cp of the output": lambda: bench.copied(requests)})
    (folder / "peer.jsonl").unlink()
    results = folder / "results.jsonl"
    count = make_results(requests, results)
    if count != rows:
        sys.exit(f"bench: {rows} rows became {count} requests")
    merged = folder / "merged.csv"
    bench.compare(
        f"merge: {rows:,} shuffled results, {megabytes([results])}, onto {megabytes([table])}",
        {"batchctl": lambda: bench.ours("merge", results, "--original-csv", table, "-o", merged,
                                        "--overwrite"),
         "dict of answers": lambda: bench.peer("merge", table, folder / "peer.csv", results),
         **bench.if_there("duckdb", "DuckDB", "merge_duckdb", table, folder / "peer.csv", results),
         "cp of all three": lambda: bench.copied([table, results, merged])})
    with merged.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        answer = next(reader).index("response")
        for number, row in enumerate(reader):
            if int(row[0]) != number or f"-{number:07}-" not in row[answer]:
                sys.exit(f"bench: row {number} has a wrong answer: {row}")
    for path in (*requests, results, merged, folder / "peer.csv"):
        path.unlink()


def pictures(bench, folder, count):
    place = folder / "pictures"
    make_images(place, count)
    table = place / "images.csv"
    out = place / "requests.jsonl"
    ours = ["convert", table, out, "--model", "gpt-4o", "--prompt", "{question}",
            "--image-column", "image", "--image-root", place, "--overwrite"]
    bench.ours(*ours)
    requests = sorted(place.glob("requests*.jsonl"))
    images = sorted(place.glob("*.png"))
    bench.compare(
        f"convert: {count:,} images, {megabytes(images)} in, {megabytes(requests)} out",
        {"batchctl": lambda: bench.ours(*ours),
         "base64 + json.dumps": lambda: bench.peer("images", table, folder / "peer.jsonl"),
         "cp of the output": lambda: bench.copied(requests)})


if __name__ == "__main__":
    main()
