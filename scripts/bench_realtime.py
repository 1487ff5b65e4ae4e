"""The realtime part of the bench: rows through `workflow --now` beside Python clients that do the
same work against the same sandbox in the same run; see bench.sh."""

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import statistics
import sys
import urllib.request

from bench_peers import PROMPT
from sandbox_child import KEY, sandbox

HERE = pathlib.Path(__file__).resolve().parent
AT_ONCE = 64
# The SDK gets a tenth of the rows: what it takes is counted by the call.
SLOWER = 10
LATENCY = 0.2
WIDE = 1_000


def realtime(bench, folder, rows, make_table):
    table, few = folder / "calls.csv", folder / "few.csv"
    make_table(table, rows, texts_of=rows)
    make_table(few, max(rows // SLOWER, 1), texts_of=max(rows // SLOWER, 1))
    peers = {"aiohttp": ("aiohttp", table, rows), "openai": ("openai SDK", few, max(rows // SLOWER, 1))}
    peers = {module: peer for module, peer in peers.items() if there(module)}
    with sandbox(bench.binary, folder / "calls", "--answers", "fixed") as address:
        runs = {"batchctl": [], **{module: [] for module in peers}}
        for number in range(bench.rounds):
            runs["batchctl"].append(ours(bench, folder, table, rows, address, AT_ONCE, number))
            for module, (_, source, count) in peers.items():
                runs[module].append(peer(bench, folder, module, source, count, address, AT_ONCE))
    show(f"realtime: {rows:,} rows, {AT_ONCE} calls at once", runs, peers)

    with sandbox(bench.binary, folder / "slow", "--answers", "fixed",
                 "--latency", f"{LATENCY}s") as address:
        runs = {"batchctl": [], **({"aiohttp": []} if "aiohttp" in peers else {})}
        for number in range(bench.rounds):
            runs["batchctl"].append(
                ours(bench, folder, table, rows, address, WIDE, f"wide-{number}"))
            if "aiohttp" in peers:
                runs["aiohttp"].append(peer(bench, folder, "aiohttp", table, rows, address, WIDE))
    show(f"realtime: {rows:,} rows, {WIDE:,} calls at once of {LATENCY * 1000:.0f} ms", runs, peers)
    most = WIDE / LATENCY
    share = statistics.median(rows / run.seconds for run, _ in runs["batchctl"]) / most
    print(f"  batchctl reaches {share:.1%} of concurrency / latency, start and end included")
    for path in (table, few):
        path.unlink()


def there(module):
    if importlib.util.find_spec(module) is None:
        print(f"no {module} in this Python: it is left out")
        return False
    return True


def ours(bench, folder, table, rows, address, at_once, number):
    """A home of its own for each run: nothing is known from an earlier one."""
    env = {"BATCHCTL_HOME": str(folder / f"home-{number}"), "OPENAI_API_KEY": KEY,
           "OPENAI_BASE_URL": f"{address}/v1"}
    before = summary(address)
    result = bench.run(
        [bench.binary, "workflow", table, folder / "answers.csv", "--now", "--yes", "--overwrite",
         "--model", "gpt-4o-mini", "--max-tokens", "100", "--prompt", PROMPT.format("{review}"),
         "--set", f"concurrency={at_once}", "--progress", "none"], **env)
    after = summary(address)
    answered = after["bodies_answered"] - before["bodies_answered"]
    again = after["answered_again"] - before["answered_again"]
    if answered + again < rows:
        sys.exit(f"bench: {answered} of {rows} rows were asked\n{result.stderr}")
    forget(address)
    return result, rows


def peer(bench, folder, module, table, rows, address, at_once):
    out = folder / "answers.jsonl"
    result = bench.run([sys.executable, HERE / "bench_calls.py", module, table, out,
                        f"{address}/v1", at_once])
    with out.open(encoding="utf-8") as file:
        count = sum(1 for _ in file)
    if count != rows:
        sys.exit(f"bench: {module} has {count} of {rows} answers\n{result.stderr}")
    forget(address)
    return result, rows


def summary(address):
    return called(f"{address}/sandbox/calls?summary=1", "GET")


def forget(address):
    called(f"{address}/sandbox/calls", "DELETE")


def called(url, method):
    request = urllib.request.Request(url, method=method,
                                     headers={"authorization": f"Bearer {KEY}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return json.loads(opener.open(request).read())


def show(title, runs, peers):
    print(f"\n{title}; load {os.getloadavg()[0]:.1f}")
    print(f"  {'':22} {'calls/s':>9} {'cpu a call':>11} {'peak':>11}   batchctl: times its speed, its cpu")

    def speeds(name):
        return [count / run.seconds for run, count in runs[name]]

    def costs(name):
        return [run.cpu / count * 1e6 for run, count in runs[name]]

    for name in runs:
        peak = max(run.peak for run, _ in runs[name]) / 1e6
        shown = name if name == "batchctl" else f"{peers[name][0]} {importlib.metadata.version(name)}"
        ratio = ""
        if name != "batchctl":
            # Pairs of one round: a busy machine slows both alike.
            speed = statistics.median(a / b for a, b in zip(speeds("batchctl"), speeds(name)))
            cpu = statistics.median(b / a for a, b in zip(costs("batchctl"), costs(name)))
            ratio = f"{speed:8.1f} x {cpu:8.1f} x less"
        print(f"  {shown:22} {statistics.median(speeds(name)):9,.0f} "
              f"{statistics.median(costs(name)):8.1f} us {peak:8.1f} MB   {ratio}", flush=True)
