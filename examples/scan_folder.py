"""Every file of a folder with one detector kept open: `python examples/scan_folder.py holiday/`.

A file that cannot be examined gets a line with its reason; the others are scanned all the same.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from worker.scanner import Scanner


def main() -> None:
    """Print a line for each file, then how many of each verdict there were."""
    parser = argparse.ArgumentParser(prog="scan_folder.py", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    paths = sorted(str(path) for path in folder.rglob("*") if path.is_file())
    counts: Counter[str] = Counter()
    with Scanner() as scanner:
        for scanned in scanner.scan_all(paths):
            report = scanned.report
            word = report.verdict or (report.reason.code if report.reason else report.status)
            chance = "" if report.fake_probability is None else f"{report.fake_probability:.3f}"
            print(f"{word:<20} {chance:>5}  {Path(report.media['path']).relative_to(folder)}")
            counts[word] += 1
    print(", ".join(f"{count} {word}" for word, count in counts.most_common()))


if __name__ == "__main__":
    main()
