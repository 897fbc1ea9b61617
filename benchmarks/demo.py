"""`make demo`: scans real photographs, forgeries of them and a spliced clip, and shows what came out."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.demo_media import Origin, make_media
from evidence.errors import TouchstoneError

FOLDER = Path("demo")
_COLOURS = {"fake": "red", "real": "green", "uncertain": "yellow"}


def main() -> int:
    """Make the media if they are not there, scan them by the command a person would type, print the table."""
    console = Console(highlight=False)
    started = time.perf_counter()
    try:
        origins = make_media(FOLDER)
    except TouchstoneError as error:
        console.print(str(error), style="red")
        return 3
    made = time.perf_counter() - started
    where = FOLDER / "origins.json"
    console.print(f"{len(origins)} files, made in {made:.1f} s; {where} says what each is.")
    command = ["touchstone", "scan", str(FOLDER / "media"), "--every", "0.5"]
    command += ["--html", str(FOLDER / "report.html"), "--csv", str(FOLDER / "report.csv")]
    command += ["--jsonl", str(FOLDER / "report.jsonl")]
    console.print(f"\n$ {' '.join(command)}", soft_wrap=True)
    started = time.perf_counter()
    run = subprocess.run([sys.executable, "-m", *command], stdout=subprocess.DEVNULL, check=False)
    if run.returncode not in (0, 1):
        return run.returncode
    console.print(f"scanned in {time.perf_counter() - started:.1f} s\n")
    with (FOLDER / "report.csv").open(encoding="utf-8", newline="") as table:
        verdicts = {str(Path(row["path"])): row for row in csv.DictReader(table)}
    console.print(_table(origins, verdicts))
    console.print(f"\n{_tally(origins, verdicts)}")
    console.print(f"Heat maps, timeline and reasons: [bold]{FOLDER / 'report.html'}[/]")
    return 0


def _table(origins: list[Origin], verdicts: dict[str, dict[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("file", "truth", "verdict"):
        table.add_column(column)
    table.add_column("probability of forgery", justify="right")
    for origin in origins:
        row = _row(origin, verdicts)
        word = row["verdict"] or row["status"]
        chance = f"{100 * float(row['fake_probability']):.1f} %" if row["fake_probability"] else ""
        table.add_row(origin.path, origin.truth, f"[{_COLOURS.get(word, 'dim')}]{word}[/]", chance)
    return table


def _tally(origins: list[Origin], verdicts: dict[str, dict[str, str]]) -> str:
    """How many reals and forgeries got which verdict."""
    lines = []
    for truth, name in (("real", "real files"), ("fake", "forged files")):
        words = [_row(origin, verdicts)["verdict"] for origin in origins if origin.truth == truth]
        counts = ", ".join(f"{words.count(word)} {word}" for word in ("fake", "uncertain", "real"))
        lines.append(f"{len(words)} {name}: {counts}")
    return "\n".join(lines)


def _row(origin: Origin, verdicts: dict[str, dict[str, str]]) -> dict[str, str]:
    return verdicts[str(FOLDER / "media" / origin.path)]


if __name__ == "__main__":
    sys.exit(main())
