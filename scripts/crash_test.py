"""Kills the program at each of its steps and checks what it promises; see crash-test.sh.

Every case has a folder, a home and a sandbox of its own. The points and how they are asked for:
src/base/points.rs.
"""

import argparse
import collections
import concurrent.futures
import csv
import io
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field

from sandbox_child import KEY, clean_environment, sandbox

ROWS = 40
PHOTOS = ["cat.png", "house.png", "fish.gif", "flower.webp", "mountain.jpg", "stop.jpg"]
RUN = ["workflow", "in.csv", "out.csv", "--set", "max_shard_requests=14", "--check-interval", "60"]
# Rows whose answers are not as wanted, by their number; all others are good at once. Each answer
# has a mark by which it is known when it comes back in a second question.
ODD = {0: "prose", 7: "type", 13: "hopeless", 14: "prose", 20: "cut", 27: "refused", 39: "hopeless"}
RULES = [
    {"match": "(p1)", "reply": '{"score": 7}'},
    {"match": "(h1)", "reply": "I really would not know (h2)."},
    {"match": "t1", "reply": '{"score": 8}'},
    {"match": "kind prose", "reply": "It is rather good, 还不错 (p1)."},
    {"match": "kind hopeless", "reply": "I would not know (h1)."},
    {"match": "kind type", "reply": '{"score": "t1"}'},
    {"match": "kind cut", "reply": '{"score": 1', "finish_reason": "length"},
    {"match": "kind refused", "reply": "", "finish_reason": "content_filter"},
    {"match": "", "reply": '{"score": 5}'},
]
# A search for a lost batch that takes two hours is over in a third of a second.
SCALE = "20000"
# A run takes half a second; one that takes this long hangs.
PATIENCE = 60
# Runs after the first until the job must be over.
MOST_RUNS = 8
# Of each kind of case, how many are drawn where not all are run.
SAMPLES = {"pair": 100, "power": 100, "power pair": 30, "enospc": 40, "eio": 60, "eintr": 25,
           "short": 25, "re-ask": 60, "re-ask pair": 20, "re-ask power": 20}
# Passages beyond those of the undisturbed run that are tried at a time.
BEYOND = 10
# How often points that no crash has struck are aimed at again.
TRIES = 4
# Printed even where nothing went wrong.
PROMISED = ("double-billed shards", "rows billed twice", "lost rows", "differing outputs",
            "half-written files", "needs operator")
# Disks on which a home has no room, in kB: for the ledger, its log, the copy, the first shard.
FULL_DISKS = (16, 40, 64, 88, 112, 136, 160, 200, 400)
STORAGE = 9
PERSON = 5


@dataclass(frozen=True, eq=False)
class Scene:
    """What is asked, and what must come of it."""
    line: tuple
    shards: int
    # Rules of the sandbox's answers; without them each question is echoed.
    rules: tuple
    # How each row ends when all is over, and how often it is asked.
    ends: tuple
    asked: tuple
    exit: int

    def statuses(self):
        return dict(collections.Counter(self.ends))


PLAIN = Scene(tuple(RUN), 3, (), ("ok",) * ROWS, (1,) * ROWS, 0)
ENDS = {"hopeless": "unparsed", "cut": "truncated", "refused": "refused"}
# Three shards of first questions, and one of those whose answer was not the JSON that was wanted.
REASK = Scene(
    (*RUN, "--input-column", "text", "--json-fields", "score:number", "--max-tokens", "64",
     "--reask", "1"),
    4, tuple(RULES), tuple(ENDS.get(ODD.get(row), "ok") for row in range(ROWS)),
    tuple(2 if ODD.get(row) in ("prose", "type", "hopeless") else 1 for row in range(ROWS)), 3)


@dataclass
class Case:
    kind: str
    # The environment of the first runs; later ones are undisturbed.
    disturbed: list
    # The same line again, or `resume`.
    by_line: bool
    scene: Scene = PLAIN

    def __str__(self):
        words = [" ".join(f"{name.removeprefix('BATCHCTL_')}={value}"
                          for name, value in each.items()) for each in self.disturbed]
        return f"{self.kind}: {', then '.join(words)} ({'same line' if self.by_line else 'resume'})"


@dataclass
class Outcome:
    case: Case
    runs: int = 0
    # How many disturbances happened, and the points that crashes struck.
    hit: int = 0
    struck: list = field(default_factory=list)
    wrong: collections.Counter = field(default_factory=collections.Counter)
    words: list = field(default_factory=list)

    def is_wrong(self, what, words, count=1):
        self.wrong[what] += count
        self.words.append(f"{what}: {words}")


class Bench:
    """The folder of one case with its home and its running sandbox."""

    def __init__(self, binary, root, address):
        self.binary, self.address, self.root = binary, address, root
        self.desk, self.home = root / "desk", root / "home"
        self.desk.mkdir()
        self.environment = clean_environment(
            HOME=str(root), BATCHCTL_HOME=str(self.home), BATCHCTL_TIME_SCALE=SCALE,
            OPENAI_BASE_URL=f"{address}/v1", OPENAI_API_KEY=KEY, TERM="dumb", TZ="UTC")
        shutil.copytree("fixtures/images", self.desk / "images")
        with (self.desk / "in.csv").open("w", encoding="utf-8") as file:
            file.write("id,text,photo\n")
            for row in range(ROWS):
                photo = PHOTOS[row % len(PHOTOS)]
                kind = f"kind {ODD[row]}" if row in ODD else "问题"
                file.write(f'{row},"question {row}, {kind}",images/{photo}\n')

    def run(self, *arguments, **more):
        return subprocess.run(
            [self.binary, *arguments], cwd=self.desk, env=self.environment | more,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)

    def table(self):
        path = self.desk / "out.csv"
        return path.read_bytes() if path.exists() else None

    def job(self):
        """What `status` says of the newest job; None if there is none."""
        done = self.run("status", "last", "--json", "--set", "check_interval=24h")
        return json.loads(done.stdout)["job"] if done.returncode == 0 else None

    def bill(self):
        request = urllib.request.Request(f"{self.address}/sandbox/ledger",
                                         headers={"authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return [json.loads(line) for line in reply.read().splitlines()]


def is_whole(text):
    """P5: a table that has its name has all its rows, each with a status."""
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8"))))
    return len(rows) == ROWS and text.endswith(b"\n") and all(row["status"] for row in rows)


def check_halves(bench, outcome):
    """P5: nothing that has its final name is half-written."""
    table = bench.table()
    if table is not None and not is_whole(table):
        outcome.is_wrong("half-written files", f"out.csv of {len(table)} bytes")
    for path in bench.home.glob("jobs/[!.]*/**/*"):
        if path.suffix not in (".jsonl", ".rows") or not path.is_file():
            continue
        content = path.read_bytes()
        if not content.endswith(b"\n") or (path.suffix == ".rows" and b"\nend " not in content):
            outcome.is_wrong("half-written files", f"{path.name} of {len(content)} bytes")


def check_bill(bench, outcome):
    """P1: one batch per shard and round; P1 and P3: each row is paid for as often as it is to be
    asked, whatever its round and job."""
    asked = outcome.case.scene.asked
    batches, rows = collections.Counter(), collections.Counter()
    for entry in bench.bill():
        if entry["event"] == "created" and entry["valid"]:
            key = (entry.get("metadata") or {}).get("batchctl", "none")
            batches[re.sub(r"-c\d+$", "", key)] += 1
        for row in entry.get("rows") or []:
            rows[re.sub(r"^\w+-(\d+)-r\d+$", r"\1", row["custom_id"])] += 1
    for shard, count in batches.items():
        if count > 1:
            outcome.is_wrong("double-billed shards", f"{shard}: {count} batches")
    twice = sorted(row for row, count in rows.items() if count > asked[int(row)])
    if twice:
        outcome.is_wrong("rows billed twice", ", ".join(twice), len(twice))


def check_end(bench, outcome, reference):
    job = bench.job()
    if job is None:
        outcome.is_wrong("not over", "there is no job")
        return
    statuses, wanted = job["statuses"], outcome.case.scene.statuses()
    if sum(statuses.values()) != ROWS or job["rows"] != ROWS:
        outcome.is_wrong("lost rows", f"{statuses} of {job['rows']}")
    elif statuses != wanted:
        lost = (collections.Counter(wanted) - collections.Counter(statuses)).total()
        outcome.is_wrong("lost rows", f"{statuses}", lost)
    if reference is not None and bench.table() != reference:
        outcome.is_wrong("differing outputs", "out.csv")
    folders = [path.name for path in (bench.home / "jobs").iterdir()
               if not path.name.startswith(".plan-")]
    if len(folders) != 1:
        outcome.is_wrong("left folders", ", ".join(folders))
    parts = [str(path.relative_to(bench.home)) for path in bench.home.glob("jobs/[!.]*/**/*.part")]
    parts += [path.name for path in bench.desk.glob("*.part")]
    if parts:
        outcome.is_wrong("left .part files", ", ".join(parts))


def scene_of(case, binary, root):
    """The sandbox of a case."""
    flags = ["--batch-seconds", "0.02"]
    if case.scene.rules:
        rules = root / "rules.json"
        rules.write_text(json.dumps(case.scene.rules), encoding="utf-8")
        flags += ["--answers", f"script:{rules}"]
    return sandbox(binary, root / "sandbox", *flags)


def play(binary, case, reference):
    """One case from the first run to the checks."""
    outcome = Outcome(case)
    with tempfile.TemporaryDirectory(prefix="crash-") as name:
        root = pathlib.Path(name)
        with scene_of(case, binary, root) as address:
            bench = Bench(binary, root, address)
            try:
                play_on(bench, case, outcome)
                check_bill(bench, outcome)
                if not outcome.wrong["needs operator"]:
                    check_end(bench, outcome, reference)
            except subprocess.TimeoutExpired as error:
                outcome.is_wrong("hangs", " ".join(map(str, error.cmd[1:])))
    return outcome


def play_on(bench, case, outcome):
    line = case.scene.line
    for number in range(MOST_RUNS + len(case.disturbed)):
        disturbance = case.disturbed[number] if number < len(case.disturbed) else {}
        count = bench.root / f"count{number}"
        if disturbance:
            disturbance = disturbance | {"BATCHCTL_CRASH_COUNT": str(count)}
        done = bench.run(*line, **disturbance)
        outcome.runs += 1
        check_halves(bench, outcome)
        is_killed = done.returncode == -signal.SIGABRT
        if disturbance:
            outcome.hit += is_killed or "BATCHCTL_FAULT" in disturbance
        if is_killed:
            outcome.struck.append(place(steps_of(count)[-1][2], str(bench.root)))
        if done.returncode == case.scene.exit:
            return
        if done.returncode == PERSON:
            job = bench.job() or {}
            outcome.is_wrong("needs operator", job.get("reason") or done.stderr.strip())
            return
        if not is_killed:
            expected = STORAGE if "BATCHCTL_FAULT" in disturbance else None
            if done.returncode != expected:
                outcome.is_wrong("wrong exit codes", f"{done.returncode}: {done.stderr.strip()}")
            fault = disturbance.get("BATCHCTL_FAULT", "")
            if fault.endswith((":eintr", ":short")):
                outcome.is_wrong("not survived", done.stderr.strip())
        job = bench.job()
        if job is not None and sum(job["statuses"].values()) != job["rows"]:
            outcome.is_wrong("lost rows", f"{job['statuses']} of {job['rows']} on the way")
        if not case.by_line and job is not None:
            line = ["resume", "last"]
    outcome.is_wrong("not over", f"after {outcome.runs} runs: {done.stderr.strip()}")


def full_disks(binary, reference):
    """The home on a disk too small for it, which SQLite meets too; then on one with room."""
    with tempfile.TemporaryDirectory(prefix="crash-") as name:
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", name]
        if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            print("  full disk: left out, no tmpfs can be mounted here")
            return
        subprocess.run(["umount", name], check=True)
    for size in FULL_DISKS:
        outcome = Outcome(Case("full disk", [{"": f"{size} kB"}], True))
        with tempfile.TemporaryDirectory(prefix="crash-") as name:
            root = pathlib.Path(name)
            with sandbox(binary, root / "sandbox", "--batch-seconds", "0.02") as address:
                bench = Bench(binary, root, address)
                bench.home.mkdir()
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", bench.home],
                               check=True)
                try:
                    play_full(bench, outcome)
                    check_bill(bench, outcome)
                    check_end(bench, outcome, reference)
                finally:
                    subprocess.run(["umount", bench.home], check=True)
        yield outcome


def play_full(bench, outcome):
    done = bench.run(*RUN)
    outcome.hit += done.returncode == STORAGE
    named = ("disk full", "No space left", "MB are needed")
    if done.returncode != STORAGE or not any(words in done.stderr for words in named):
        outcome.is_wrong("wrong exit codes", f"{done.returncode}: {done.stderr.strip()}")
    check_halves(bench, outcome)
    subprocess.run(["mount", "-o", "remount,size=256m", bench.home], check=True)
    done = bench.run(*RUN)
    outcome.runs += 2
    if done.returncode != 0:
        outcome.is_wrong("not over", f"with room again: {done.stderr.strip()}")


def undisturbed(binary, scene):
    """The table of a run that nothing happens to, and the lines that count its steps."""
    outcome = Outcome(Case("undisturbed", [], True, scene))
    with tempfile.TemporaryDirectory(prefix="crash-") as name:
        root = pathlib.Path(name)
        with scene_of(outcome.case, binary, root) as address:
            bench = Bench(binary, root, address)
            done = bench.run(*scene.line, BATCHCTL_CRASH_COUNT=str(root / "count"))
            if done.returncode != scene.exit:
                raise SystemExit(f"the undisturbed run ends with {done.returncode}:\n{done.stderr}")
            batches = [entry for entry in bench.bill() if entry["event"] == "created"]
            if len(batches) != scene.shards:
                raise SystemExit(f"the job has {len(batches)} shards, not {scene.shards}")
            check_bill(bench, outcome)
            check_end(bench, outcome, None)
            if outcome.wrong or not is_whole(bench.table()):
                raise SystemExit(f"the undisturbed run: {'; '.join(outcome.words)}")
            return bench.table(), steps_of(root / "count"), str(root)


def steps_of(count):
    """What the program appended: `point` or `operation`, its number, its name."""
    return [step.split(" ", 2) for step in count.read_text(encoding="utf-8").splitlines()]


def place(name, root):
    """A step without what differs from job to job: folders, ids, numbers of shards."""
    name = name.replace(root, "")
    return re.sub(r"/(\.plan-\w+|jobs/\w{10})", "/JOB", re.sub(r"s\d{4}", "sN", name))


def cases(passages, operations, draw, whole):
    """What is drawn of all cases but the single crashes, of which none is left out."""

    def some(kind, every):
        return every if whole else draw.sample(every, min(SAMPLES[kind], len(every)))

    def lines(kind, disturbances):
        return [Case(kind, each, number % 2 == 0) for number, each in enumerate(disturbances)]

    def crash(number, **more):
        return {"BATCHCTL_CRASH": str(number)} | more

    numbers = range(1, passages + 1)
    pairs = [(first, second) for first in numbers for second in numbers]
    # All pairs would take hours.
    drawn = draw.sample(pairs, min(len(pairs), SAMPLES["pair"] * (20 if whole else 1)))
    yield from lines("pair", [[crash(first), crash(second)] for first, second in drawn])
    power = {"BATCHCTL_CRASH_POWER": "1"}
    yield from lines("power", some("power", [[crash(number, **power)] for number in numbers]))
    drawn = draw.sample(pairs, SAMPLES["power pair"] * (10 if whole else 1))
    yield from lines("power pair", [[crash(first, **power), crash(second, **power)]
                                    for first, second in drawn])
    fitting = {
        "enospc": ("create", "write", "sync", "rename", "sync folder"),
        "eio": ("create", "open", "read", "write", "sync", "rename", "sync folder", "remove"),
        "eintr": ("create", "open", "read", "write", "sync", "rename", "sync folder", "remove"),
        "short": ("read", "write"),
    }
    for fault, kinds in fitting.items():
        fit = [number for number, name in enumerate(operations, 1) if name.startswith(kinds)]
        yield from lines(fault, [[{"BATCHCTL_FAULT": f"{number}:{fault}"}]
                                 for number in some(fault, fit)])


def reask_cases(passages, draw, whole):
    """Crashes of a job that asks a second time, most of them once its first answers are here."""
    def some(kind, every):
        return every if whole and kind != "re-ask pair" else draw.sample(
            every, min(SAMPLES[kind], len(every)))

    def crash(number, **more):
        return {"BATCHCTL_CRASH": str(number)} | more

    numbers = range(1, passages + 1)
    late = [number for number in numbers if number > passages // 2]
    first = [[crash(number)] for number in (numbers if whole else late)]
    pairs = [[crash(first), crash(second)] for first in late for second in numbers]
    power = [[crash(number, BATCHCTL_CRASH_POWER="1")] for number in numbers]
    for kind, every in (("re-ask", first), ("re-ask pair", pairs), ("re-ask power", power)):
        for number, each in enumerate(some(kind, every)):
            yield Case(kind, each, number % 2 == 0, REASK)


def main():
    parser = argparse.ArgumentParser(description="see crash-test.sh")
    parser.add_argument("binary", nargs="?", default="target/release/batchctl")
    parser.add_argument("--all", action="store_true", help="no samples")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 2))
    parser.add_argument("--only", help="kinds of cases, with commas between")
    asked = parser.parse_args()
    binary = str(pathlib.Path(asked.binary).resolve())
    if not os.access(binary, os.X_OK):
        raise SystemExit(f"crash-test: no program at {binary}; cargo build --release")
    # An abort is no reason for a core dump.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    start = time.monotonic()
    reference, steps, root = undisturbed(binary, PLAIN)
    reasked, later, _ = undisturbed(binary, REASK)
    passages = sum(what == "point" for what, _, _ in later)
    references = {PLAIN: reference, REASK: reasked}
    points = [place(name, root) for what, _, name in steps if what == "point"]
    operations = [name for what, _, name in steps if what == "operation"]
    print(f"crash-test: seed {asked.seed}: {len(set(points))} points, {len(points)} passages, "
          f"{len(operations)} file operations in an undisturbed run", flush=True)
    draw = random.Random(asked.seed)
    every = list(cases(len(points), operations, draw, asked.all))
    every += reask_cases(passages, draw, asked.all)
    if asked.only:
        every = [case for case in every if case.kind in asked.only.split(",")]

    wrong, runs, hits = collections.Counter(), collections.Counter(), collections.Counter()
    played, struck = collections.Counter(), collections.Counter()

    def note(outcome):
        kind = outcome.case.kind
        played[kind] += 1
        runs[kind] += outcome.runs
        hits[kind] += outcome.hit
        struck.update(outcome.struck)
        wrong.update(outcome.wrong)
        if outcome.words:
            print(f"  {outcome.case}", *outcome.words, sep="\n    ", flush=True)

    def strike(pool, numbers):
        """Single crashes; how many struck."""
        singles = [Case("crash", [{"BATCHCTL_CRASH": str(number)}], number % 2 == 0)
                   for number in numbers]
        before = hits["crash"]
        for outcome in pool.map(lambda case: play(binary, case, reference), singles):
            note(outcome)
        return hits["crash"] - before

    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        if asked.only is None or "crash" in asked.only.split(","):
            last = len(points)
            strike(pool, range(1, last + 1))
            # A run that asks more often how its batches stand has more passages.
            while strike(pool, range(last + 1, last + 1 + BEYOND)):
                last += BEYOND
            # A run is not always as long as the next one, so a number may pass a point by.
            for _ in range(TRIES):
                missed = set(points) - set(struck)
                near = {number + step for number, point in enumerate(points, 1) if point in missed
                        for step in range(-6, 7)}
                strike(pool, sorted(number for number in near if number > 0))
        for outcome in pool.map(lambda case: play(binary, case, references[case.scene]), every):
            note(outcome)
    if asked.only is None or "full disk" in asked.only:
        for outcome in full_disks(binary, reference):
            note(outcome)
    missed = sorted(set(points) - set(struck)) if hits["crash"] else []
    if hits["crash"]:
        print(f"  struck: {len(set(points)) - len(missed)} of {len(set(points))} points", *missed,
              sep="\n    ")
    for kind, count in played.items():
        print(f"  {kind:<12} {count:>5} cases {runs[kind]:>6} runs {hits[kind]:>6} disturbed")
    seconds = time.monotonic() - start
    print(f"crash-test: {len(set(points))} points, {len(points)} passages, {played.total()} cases, "
          f"{runs.total()} runs in {seconds:.0f} s")
    for what in dict.fromkeys([*PROMISED, *wrong]):
        print(f"  {what:<21} {wrong[what]}")
    sys.exit(1 if +wrong else 0)


if __name__ == "__main__":
    main()
