"""Times a make target from a fresh clone: `python -m benchmarks.clone demo` or `... test`.

What is committed is cloned into a temporary folder, so what a stranger gets is what is timed, the
installation included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Clone, make, print the seconds, write the JSON; returns the exit code of make."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=("demo", "test"))
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of the JSON")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "touchstone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        started = time.perf_counter()
        code = subprocess.run(["make", chosen.target], cwd=clone, check=False).returncode
        seconds = time.perf_counter() - started
    print(f"make {chosen.target}: {seconds:.0f} s, exit code {code}")
    if code == 0:
        chosen.out.mkdir(parents=True, exist_ok=True)
        result = {"machine": machine(), "target": chosen.target, "seconds": round(seconds, 1)}
        path = chosen.out / f"clone-{chosen.target}.json"
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
