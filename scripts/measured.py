"""Runs a command and tells how long it took and the most memory it held."""

import os
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Measured:
    code: int
    seconds: float
    cpu: float
    peak: int  # bytes
    stdout: bytes
    stderr: str

    def __str__(self):
        return f"{self.seconds:8.2f} s   cpu {self.cpu:8.2f} s   peak {self.peak / 1e6:8.1f} MB"


def measured(command, cwd=None, env=None, log=None):
    """The peak is that of this process alone (wait4), not of its children or ours."""
    log = log or os.devnull
    with open(log, "w+b") as errors, open(f"{log}.out" if log != os.devnull else log, "w+b") as out:
        start = time.monotonic()
        child = subprocess.Popen([str(c) for c in command], cwd=cwd, env=env,
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        text = b"", b""
        if log != os.devnull:
            out.seek(0)
            errors.seek(0)
            text = out.read(), errors.read()
    return Measured(child.returncode, seconds, usage.ru_utime + usage.ru_stime,
                    usage.ru_maxrss * 1024, text[0], text[1].decode("utf-8", "replace"))
