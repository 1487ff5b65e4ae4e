"""Kills the program from outside at random moments and checks what it promises; see kill-test.sh.

What is checked, and the job itself, are those of crash_test.py; with --now those of kill_calls.py.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import kill_calls
from crash_test import (MOST_RUNS, PERSON, PLAIN, PROMISED, RUN, Bench, Case, Outcome,
                        check_bill, check_end, check_halves, undisturbed)
from sandbox_child import sandbox

# Kills of one job at most.
KILLS_OF_ONE = 4
# The time of a run is spread over its phases; a create may be under way when its sender dies.
FLAGS = ("--batch-seconds", "0.05", "--faults",
         "upload: slow 30ms; create: slow 60ms; download: slow 50ms")
# Nothing more is begun after so many seconds.
LONGEST = 290
SHARDS = 3


class Tally:
    """What all workers share."""

    def __init__(self, wanted):
        self.lock = threading.Lock()
        self.wanted = wanted
        self.kills = self.jobs = self.runs = 0
        self.phases = collections.Counter()
        self.wrong = collections.Counter()
        # Of calls: answers that a kill lost, at most at one, and answers given twice.
        self.lost = self.most_lost = self.again = 0
        self.end = time.monotonic() + LONGEST

    def is_enough(self):
        with self.lock:
            return self.kills >= self.wanted or time.monotonic() > self.end


def phase(bench, job):
    """Where a kill has struck, as well as it can be told afterwards."""
    if job is None:
        return "planning"
    if sum(entry["event"] == "created" for entry in bench.bill()) < SHARDS:
        return "upload and create"
    settled = job["rows"] - job["statuses"].get("pending", 0)
    if settled == 0:
        return "waiting"
    return "download" if settled < job["rows"] else "writing the table"


def run_and_kill(bench, line, after):
    """Whether it was killed: it may have been faster."""
    child = subprocess.Popen(
        [bench.binary, *line], cwd=bench.desk, env=bench.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        child.wait(after)
    except subprocess.TimeoutExpired:
        child.kill()
    return child.wait() == -signal.SIGKILL


def play_on(bench, draw, length, tally, outcome):
    line = RUN
    for _ in range(KILLS_OF_ONE):
        if not run_and_kill(bench, line, draw.uniform(0, length)):
            break
        check_halves(bench, outcome)
        job = bench.job()
        struck = phase(bench, job)
        with tally.lock:
            tally.kills += 1
            tally.phases[struck] += 1
        if job is not None and sum(job["statuses"].values()) != job["rows"]:
            outcome.is_wrong("lost rows", f"{job['statuses']} of {job['rows']} on the way")
        if job is not None and draw.random() < 0.5:
            line = ["resume", "last"]
    for _ in range(MOST_RUNS):
        done = bench.run(*line)
        outcome.runs += 1
        check_halves(bench, outcome)
        if done.returncode == 0:
            return
        if done.returncode == PERSON:
            outcome.is_wrong("needs operator", (bench.job() or {}).get("reason") or done.stderr)
            return
        outcome.is_wrong("wrong exit codes", f"{done.returncode}: {done.stderr.strip()}")
    outcome.is_wrong("not over", f"after {outcome.runs} runs: {done.stderr.strip()}")


def play(binary, seed, length, reference, tally):
    """One job from its first run to the checks."""
    outcome = Outcome(Case("kill", [{"BATCHCTL_SEED": str(seed)}], True))
    with tempfile.TemporaryDirectory(prefix="kill-") as name:
        root = pathlib.Path(name)
        with sandbox(binary, root / "sandbox", *FLAGS) as address:
            bench = Bench(binary, root, address)
            try:
                play_on(bench, random.Random(seed), length, tally, outcome)
                check_bill(bench, outcome)
                if not outcome.wrong["needs operator"]:
                    check_end(bench, outcome, reference)
            except subprocess.TimeoutExpired as error:
                outcome.is_wrong("hangs", " ".join(map(str, error.cmd[1:])))
    with tally.lock:
        tally.jobs += 1
        tally.runs += outcome.runs
        tally.wrong.update(outcome.wrong)
        if outcome.words:
            print(f"  job of seed {seed}", *outcome.words, sep="\n    ", flush=True)


def play_calls(binary, seed, reference, tally):
    """One job by calls from its first run to the checks."""
    outcome = Outcome(Case("kill", [{"BATCHCTL_SEED": str(seed)}], True))
    table, shortest, length = reference
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="kill-") as name:
        root = pathlib.Path(name)
        with sandbox(binary, root / "sandbox", *kill_calls.FLAGS) as address:
            bench = kill_calls.CallsBench(binary, root, address)
            watch = kill_calls.Watch(bench, shortest)
            try:
                play_calls_on(bench, watch, (draw, length), tally, outcome)
                kill_calls.check_end(bench, watch, outcome, table)
            except subprocess.TimeoutExpired as error:
                outcome.is_wrong("hangs", " ".join(map(str, error.cmd[1:])))
    with tally.lock:
        tally.jobs += 1
        tally.runs += outcome.runs
        tally.wrong.update(outcome.wrong)
        tally.lost += watch.lost
        tally.most_lost = max(tally.most_lost, watch.most_lost)
        tally.again += watch.again
        if outcome.words:
            print(f"  job of seed {seed}", *outcome.words, sep="\n    ", flush=True)


def play_calls_on(bench, watch, how, tally, outcome):
    draw, length = how
    line, kept = kill_calls.RUN, {}
    for _ in range(KILLS_OF_ONE):
        if not run_and_kill(bench, line, draw.uniform(0, length)):
            break
        before, kept = kept, watch.check(kept, outcome)
        kill_calls.check_table(bench, outcome)
        with tally.lock:
            tally.kills += 1
            tally.phases[kill_calls.phase(bench, before, kept)] += 1
        if kept and draw.random() < 0.5:
            line = ["resume", "last"]
    done = bench.run(*line)
    outcome.runs += 1
    watch.check(kept, outcome)
    if done.returncode != 0:
        outcome.is_wrong("wrong exit codes", f"{done.returncode}: {done.stderr.strip()}")


def length_of(binary):
    """How long a run takes that nobody kills."""
    with tempfile.TemporaryDirectory(prefix="kill-") as name:
        root = pathlib.Path(name)
        with sandbox(binary, root / "sandbox", *FLAGS) as address:
            bench = Bench(binary, root, address)
            start = time.monotonic()
            bench.run(*RUN)
            return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description="see kill-test.sh")
    parser.add_argument("binary", nargs="?", default="target/release/batchctl")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--now", action="store_true", help="rows by calls, in no batch")
    asked = parser.parse_args()
    binary = str(pathlib.Path(asked.binary).resolve())
    if not os.access(binary, os.X_OK):
        raise SystemExit(f"kill-test: no program at {binary}; cargo build --release")

    start = time.monotonic()
    if asked.now:
        reference = kill_calls.undisturbed(binary)
        length = reference[2]
    else:
        reference = undisturbed(binary, PLAIN)[0]
        length = length_of(binary)
    print(f"kill-test: seed {asked.seed}: an undisturbed run takes {length:.2f} s", flush=True)
    tally, draw = Tally(asked.kills), random.Random(asked.seed)

    def work():
        while not tally.is_enough():
            with tally.lock:
                seed = draw.randrange(1 << 32)
            if asked.now:
                play_calls(binary, seed, reference, tally)
            else:
                play(binary, seed, length, reference, tally)

    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        for worker in [pool.submit(work) for _ in range(asked.jobs)]:
            worker.result()
    for name, count in tally.phases.most_common():
        print(f"  killed in {name:<18} {count:>4}")
    seconds = time.monotonic() - start
    print(f"kill-test: {tally.kills} kills, {tally.jobs} jobs in {seconds:.0f} s")
    if asked.now:
        print(f"  answers under way when it died: {tally.lost}, at most {tally.most_lost} at one "
              f"kill; answered again: {tally.again}")
    promised = kill_calls.PROMISED if asked.now else PROMISED
    for what in dict.fromkeys([*promised, *tally.wrong]):
        print(f"  {what:<21} {tally.wrong[what]}")
    if tally.kills < asked.kills:
        raise SystemExit(f"kill-test: only {tally.kills} of {asked.kills} kills in {LONGEST} s")
    sys.exit(1 if +tally.wrong else 0)


if __name__ == "__main__":
    main()
