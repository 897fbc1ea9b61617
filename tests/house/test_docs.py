"""The docs say what the code does: every command, column, setting and code, and no link leads nowhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from touchstone.report.csv import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
CODE = re.compile(r"```.*?```", re.DOTALL)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _anchors(page: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(CODE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    lost = []
    for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        place, _, fragment = target.partition("#")
        if "://" in place or place.startswith("mailto:"):
            continue
        path = (page.parent / place).resolve() if place else page
        if not path.exists() or (fragment and fragment not in _anchors(path)):
            lost.append(target)
    assert lost == []


def test_the_listing_pages_are_those_the_code_writes() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_column_of_the_csv_is_explained() -> None:
    page = (ROOT / "docs" / "scanning.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert set(COLUMNS) - explained == set()


def test_every_reason_for_doubt_is_explained() -> None:
    given = set(
        re.findall(r'Reason\(\s*"(\w+)"', (ROOT / "worker" / "decide.py").read_text(encoding="utf-8"))
    )
    page = (ROOT / "docs" / "scanning.md").read_text(encoding="utf-8")
    assert given, "decide.py names no reasons any more: look for them elsewhere"
    assert {code for code in given if f"| `{code}` |" not in page} == set()


def test_every_make_target_that_the_pages_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"\bmake ([a-z]+)\b`", page.read_text(encoding="utf-8"))
    }
    assert named - targets == set()


def test_every_command_that_the_pages_show_exists() -> None:
    known = set(
        re.findall(r"^#+ `touchstone (\w+)", (ROOT / "docs/cli.md").read_text(encoding="utf-8"), re.M)
    )
    shown = {
        name
        for page in PAGES
        for name in re.findall(r"(?:^\$ |`)touchstone (\w+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert shown - known == set()
