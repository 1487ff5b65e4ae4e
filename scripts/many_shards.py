"""Thousands of small files under a limit of queued prompt tokens; see many-shards.sh."""

import argparse
import collections
import csv
import http.client
import http.server
import json
import pathlib
import socketserver
import sys
import tempfile
import threading
import time

from measured import measured
from sandbox_child import KEY, clean_environment, sandbox

# Tokens of one request by the rules of chat: the text below and what a message adds.
TEXT = "one two three four five"
SCALE = 100


class Counting(http.server.BaseHTTPRequestHandler):
    """Passes every call on and counts it."""

    protocol_version = "HTTP/1.1"
    calls = collections.Counter()
    port = 0

    def pass_on(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        path = self.path.split("?")[0]
        kind = "list" if path.endswith("/batches") else "batch" if "/batches/" in path else "file"
        self.calls[f"{self.command} {kind}"] += 1
        other = http.client.HTTPConnection("127.0.0.1", self.port)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        other.request(self.command, self.path, body, headers)
        reply = other.getresponse()
        data = reply.read()
        other.close()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = pass_on

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def tokens_of_one(binary, folder, env):
    """What the plan counts for one request."""
    command = [binary, "estimate", "in.csv", "--end-row", "1", "--json"]
    import subprocess
    text = subprocess.run(command, cwd=folder, env=env, capture_output=True, check=True).stdout
    return json.loads(text)["input_tokens"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shards", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--unknown", action="store_true")
    parser.add_argument("--count", action="store_true", help="count calls, which takes time itself")
    parser.add_argument("binary", nargs="?", default="target/release/batchctl")
    asked = parser.parse_args()
    binary = str(pathlib.Path(asked.binary).resolve())
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        with (folder / "in.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text"])
            # Each row another number of one token, so that no row asks the same as another.
            rows.writerows([[f"{TEXT} {row:05d}"] for row in range(asked.shards)])
        env = clean_environment(HOME=work, BATCHCTL_HOME=str(folder / "home"),
                                BATCHCTL_TIME_SCALE=str(SCALE), OPENAI_API_KEY=KEY)
        one = tokens_of_one(binary, folder, env)
        limit = one * asked.at_once + one // 2
        state = folder / "sandbox"
        state.mkdir()
        with sandbox(binary, state, "--batch-seconds", "0.1", "--enqueued-tokens",
                     f"{limit}:create") as address:
            if asked.count:
                Counting.port = int(address.rsplit(":", 1)[1])
                server = Server(("127.0.0.1", 0), Counting)
                threading.Thread(target=server.serve_forever, daemon=True).start()
                address = f"http://127.0.0.1:{server.server_address[1]}"
            env["OPENAI_BASE_URL"] = f"{address}/v1"
            line = [binary, "workflow", "in.csv", "out.csv", "--check-interval", "10", "--set",
                    "max_shard_requests=1", "--set", "parallel_uploads=8", "--progress", "none"]
            if not asked.unknown:
                line += ["--set", f"max_enqueued_tokens={limit}"]
            run = measured(line, cwd=folder, env=env, log=str(folder / "log"))
            judge(run, folder, state, asked.shards)
        print(f"many-shards: {asked.shards} shards, {asked.at_once} at once: {run}")
        if asked.count:
            minutes = run.seconds / 60
            for kind, calls in sorted(Counting.calls.items()):
                print(f"  {kind:14} {calls:7}   {calls / minutes:9.0f} a minute, "
                      f"{calls / minutes / SCALE:7.1f} a minute of the job's time")


def judge(run, folder, state, shards):
    if run.code != 0:
        sys.exit(f"many-shards: exit {run.code}\n{run.stderr[-3000:]}")
    with (folder / "out.csv").open(newline="") as file:
        answered = sum(row["status"] == "ok" for row in csv.DictReader(file))
    paid = collections.Counter()
    for line in (state / "ledger.jsonl").read_text().splitlines():
        for row in json.loads(line).get("rows") or []:
            paid[row["custom_id"]] += 1
    if answered != shards or len(paid) != shards or set(paid.values()) != {1}:
        sys.exit(f"many-shards: {answered} answered, {len(paid)} paid, "
                 f"most {max(paid.values(), default=0)} times")


if __name__ == "__main__":
    start = time.monotonic()
    main()
