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
    stderr: str

    def __str__(self):
        return f"{self.seconds:8.2f} s   cpu {self.cpu:8.2f} s   peak {self.peak / 1e6:8.1f} MB"


def measured(command, cwd=None, env=None, log=os.devnull):
    """Memory is the high-water mark of this process alone, read from /proc every few
    milliseconds: what wait4 tells begins with the memory of the Python that started it."""
    with open(log, "w+b") as errors:
        start = time.monotonic()
        child = subprocess.Popen([str(part) for part in command], cwd=cwd, env=env,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=errors)
        peak = 0
        while True:
            peak = max(peak, high_water(child.pid))
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.002)
        seconds = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        text = errors.read().decode("utf-8", "replace")
    return Measured(child.returncode, seconds, usage.ru_utime + usage.ru_stime, peak, text)


def high_water(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
