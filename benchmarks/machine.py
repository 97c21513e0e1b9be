"""What the benchmarks share: the machine's name, and where their results are kept."""

import json
import os
import platform
import re
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def described() -> dict:
    """The machine and the day."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "date": time.strftime("%Y-%m-%d"),
    }


def name_of(kind: str, document: dict) -> str:
    """What the files with this machine's results of a kind are called."""
    return re.sub(r"[^a-z0-9]+", "-", f"{kind} {document['cpu']} {platform.machine()}".lower()).strip("-")


def write(kind: str, document: dict, text: str) -> str:
    """Keep results as JSON and as text, under this machine's name; the name of the files."""
    name = name_of(kind, document)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(text)
    return name


def _cpuinfo(key: str) -> str:
    path = Path("/proc/cpuinfo")
    found = re.search(rf"^{key}\s*:\s*(.*)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return found.group(1) if found else ""


def cpu_name() -> str:
    """The processor's name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def cpu_flags() -> list[str]:
    """The instruction sets that the processor states; none where it does not."""
    return _cpuinfo("flags").split()
