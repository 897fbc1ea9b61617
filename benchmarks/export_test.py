"""Seconds that the test of all exports takes: `python -m benchmarks.export_test`.

It exports every system and compares file and network; the start of Python and of torch is in it. The
figure goes to runs/bench, from where `benchmarks.suite` writes it into the README.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.machine import machine

TEST = Path(__file__).resolve().parents[1] / "tests" / "exports" / "test_all_systems.py"


def main(arguments: list[str] | None = None) -> int:
    """Run the test, print and write its seconds; returns its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("runs/bench/export_test.json"))
    chosen = parser.parse_args(arguments)
    begun = time.perf_counter()
    code = subprocess.run([sys.executable, "-m", "pytest", "-q", str(TEST)], check=False).returncode
    seconds = time.perf_counter() - begun
    print(f"{seconds:.0f} seconds")
    if code == 0:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        result = {"machine": machine(), "seconds": round(seconds, 1)}
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
