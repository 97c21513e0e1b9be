"""How slow this machine is, so that a limit of the tests is met by what is endless and by nothing else."""

import math
import subprocess
import sys
import time

USUAL = 0.4  # seconds for a process to start and end with NumPy: twice the time of the authors' machine


def _slowness() -> int:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    return math.ceil(max(1.0, (time.monotonic() - started) / USUAL))


SLOWNESS = _slowness()
"""A whole number, 1 on a machine as fast as that of the authors; limits of time are multiplied by it."""

LONG = 1800.0
"""Seconds that a command which ends by itself may take."""
