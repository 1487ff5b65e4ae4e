"""Jobs by calls (`--now`) for kill_test.py: what is asked, and what is held against the sandbox's
own list of calls.

A row is known by the length of its request, so the sandbox tells which rows were asked. An answer
is kept once its whole line is on disk: a row that has one is never asked again. Answers that the
sandbox gave and that are on no disk were under way at the kill; they alone are paid twice.
"""

import collections
import csv
import io
import json
import pathlib
import subprocess
import tempfile
import time
import urllib.request

from sandbox_child import KEY, clean_environment, sandbox

ROWS = 160
AT_ONCE = 4
# Answers that come while the group before them is made durable wait in memory; how many depends on
# the disk. A group is 100 rows, and more than one must never wait.
GROUP = 100
RUN = ["workflow", "in.csv", "out.csv", "--prompt", "{text}", "--now", "--yes"]
# For the line and for `resume` alike; with the usual cool-down a run could last a minute.
SETTINGS = {"BATCHCTL_CONCURRENCY": str(AT_ONCE), "BATCHCTL_RETRIES": "9",
            "BATCHCTL_RETRY_DELAY": "5ms", "BATCHCTL_COOL_DOWN": "20ms"}
# Failures on the way: each may be under way when its caller dies.
FLAGS = ("--latency", "12ms", "--faults",
         "realtime%13: 500; realtime%17: reset; realtime%29: slow 60ms; realtime%31: cut 50%")
PATIENCE = 60
PROMISED = ("rows asked again", "answers lost", "lost rows", "differing outputs",
            "half-written files", "open accounts")


class CallsBench:
    """The folder of one case with its home and its running sandbox."""

    def __init__(self, binary, root, address):
        self.binary, self.address, self.root = binary, address, root
        self.desk, self.home = root / "desk", root / "home"
        self.desk.mkdir()
        self.environment = clean_environment(
            HOME=str(root), BATCHCTL_HOME=str(self.home), OPENAI_BASE_URL=f"{address}/v1",
            OPENAI_API_KEY=KEY, TERM="dumb", TZ="UTC", **SETTINGS)
        lines = [f"{row},question {row:03} {'x' * row}\n" for row in range(ROWS)]
        (self.desk / "in.csv").write_text("id,text\n" + "".join(lines), encoding="utf-8")

    def run(self, *arguments):
        return subprocess.run(
            [self.binary, *arguments], cwd=self.desk, env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)

    def table(self):
        path = self.desk / "out.csv"
        return path.read_bytes() if path.exists() else None

    def told(self):
        """What `status` says of the newest job; None if there is none."""
        done = self.run("status", "last", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def ask(self, path):
        request = urllib.request.Request(f"{self.address}{path}",
                                         headers={"authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return reply.read()

    def sums(self):
        return json.loads(self.ask("/sandbox/calls?summary"))

    def calls(self):
        """All calls, once none is under way."""
        end = time.monotonic() + PATIENCE
        while self.sums()["open"] and time.monotonic() < end:
            time.sleep(0.005)
        return [json.loads(line) for line in self.ask("/sandbox/calls").splitlines()]

    def kept(self):
        """Rows whose whole line is on disk, each as often as it is there."""
        rows = collections.Counter()
        for path in self.home.glob("jobs/[!.]*/results/*calls.jsonl"):
            for line in path.read_bytes().split(b"\n")[:-1]:
                rows[int(json.loads(line)["custom_id"].split("-")[1])] += 1
        return rows


def is_good(call):
    return call["end"] == "answered" and call["status"] == 200 and "cut" not in call.get("fault", "")


class Watch:
    """What the sandbox saw, run by run."""

    def __init__(self, bench, shortest):
        self.bench, self.shortest = bench, shortest
        self.seen, self.lost, self.most_lost, self.again = 0, 0, 0, 0

    def check(self, before, outcome):
        """After a run, killed or not: `before` are the rows that had a line when it began."""
        calls = self.bench.calls()
        fresh, self.seen = calls[self.seen:], len(calls)
        asked = collections.Counter(call["bytes"] - self.shortest for call in fresh)
        again = sorted(set(asked) & set(before))
        if again:
            outcome.is_wrong("rows asked again", f"{again} had a line on disk", len(again))
        kept = self.bench.kept()
        gone = sorted(set(before) - set(kept))
        if gone:
            outcome.is_wrong("lost rows", f"the lines of {gone} are gone", len(gone))
        twice = [row for row, times in kept.items() if times > 1]
        if twice:
            outcome.is_wrong("rows asked again", f"{twice} have two lines", len(twice))
        good = {call["bytes"] - self.shortest for call in fresh if is_good(call)}
        lost = sorted(good - set(kept))
        self.lost += len(lost)
        self.most_lost = max(self.most_lost, len(lost))
        # Besides those under way: what waited for the writer.
        if len(lost) > AT_ONCE + GROUP:
            outcome.is_wrong("answers lost", f"{len(lost)} at one kill: {lost}", len(lost))
        return kept


def phase(bench, before, kept):
    """Where a kill has struck, as well as it can be told afterwards."""
    if not any(bench.home.glob("jobs/[!.]*/results")):
        return "planning"
    if len(kept) == ROWS:
        return "writing the table"
    return "calling" if len(kept) > len(before) else "before the answers"


def check_table(bench, outcome):
    """P5: a table that has its name has all its rows, each with a status."""
    table = bench.table()
    if table is None:
        return
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8"))))
    if len(rows) != ROWS or not all(row["status"] for row in rows):
        outcome.is_wrong("half-written files", f"out.csv of {len(table)} bytes")


def check_end(bench, watch, outcome, reference):
    told = bench.told()
    if told is None:
        outcome.is_wrong("lost rows", "there is no job")
        return
    job = told["job"]
    if job["statuses"] != {"ok": ROWS} or job["rows"] != ROWS or job["state"] != "done":
        outcome.is_wrong("lost rows", f"{job['state']}: {job['statuses']} of {job['rows']}")
    if bench.table() != reference:
        outcome.is_wrong("differing outputs", "out.csv")
    sums = bench.sums()
    watch.again = again = sums["answered_again"]
    if again > watch.lost:
        outcome.is_wrong("rows asked again", f"{again} answered again, {watch.lost} were lost",
                         again - watch.lost)
    check_account(told, sums, watch, outcome)


def check_account(told, sums, watch, outcome):
    """B05: every row is somebody's, no money stays set aside, and what may have been paid for
    nothing is told."""
    unanswered = sum(member["possibly_billed"] for member in told["calls"])
    rows = sum(member["rows"] for member in told["calls"])
    calls = sum(member["calls"] for member in told["calls"])
    if rows != ROWS or told["job"]["cost"]["reserved"] != 0:
        outcome.is_wrong("open accounts", f"{rows} rows, {told['job']['cost']}")
    if unanswered < watch.lost:
        outcome.is_wrong("open accounts", f"{watch.lost} answers were lost, told: {unanswered}")
    if calls < sums["calls"]:
        outcome.is_wrong("open accounts", f"{sums['calls']} calls came, told: {calls}")


def undisturbed(binary):
    """The table of a run that nothing happens to, the length of its shortest request, and how long
    it takes."""
    with tempfile.TemporaryDirectory(prefix="kill-") as name:
        root = pathlib.Path(name)
        with sandbox(binary, root / "sandbox", *FLAGS) as address:
            bench = CallsBench(binary, root, address)
            start = time.monotonic()
            done = bench.run(*RUN)
            seconds = time.monotonic() - start
            if done.returncode != 0:
                raise SystemExit(f"the undisturbed run ends with {done.returncode}:\n{done.stderr}")
            lengths = {call["bytes"] for call in bench.calls()}
            shortest = min(lengths)
            if lengths != set(range(shortest, shortest + ROWS)):
                raise SystemExit(f"requests are not told apart by their lengths: {sorted(lengths)}")
            return bench.table(), shortest, seconds
