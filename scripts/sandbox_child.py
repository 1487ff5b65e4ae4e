"""Starts `batchctl sandbox` as a child for a script and tells its address."""

import contextlib
import os
import re
import subprocess
import threading

KEY = "sandbox-scripts"


def clean_environment(**more):
    """Nothing of ours but the path: no keys, no proxies, no home with a configuration."""
    names = ("PATH", "TMPDIR", "LANG")
    return {name: os.environ[name] for name in names if name in os.environ} | more


@contextlib.contextmanager
def sandbox(binary, state, *flags):
    """A running sandbox; gives `http://127.0.0.1:PORT`."""
    command = [binary, "sandbox", "--port", "0", "--state", str(state), *flags]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                             stdin=subprocess.DEVNULL, env=clean_environment(HOME=str(state)))
    timer = threading.Timer(30, child.kill)
    timer.start()
    try:
        address = None
        for line in child.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                address = found.group()
                break
        timer.cancel()
        if address is None:
            raise SystemExit(f"the sandbox did not say where it listens: {' '.join(command)}")
        # Read on, so that it never blocks on a full pipe.
        threading.Thread(target=child.stdout.read, daemon=True).start()
        yield address
    finally:
        timer.cancel()
        child.kill()
        child.wait()
