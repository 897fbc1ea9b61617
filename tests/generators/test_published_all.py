"""Every system of the suite but our own family has a `published` preset that a test of its own holds."""

from __future__ import annotations

import re
from pathlib import Path

from generators import catalogue

OURS = {"reconstruction"}  # one decoder for each operator: no paper trained such a family


def test_every_system_of_a_paper_has_a_published_a_shipped_and_a_smoke_preset() -> None:
    for name in catalogue.CATALOGUE.keys() - OURS:
        assert catalogue.system(name).load()[1].keys() >= {"published", "shipped", "smoke"}, name


def test_the_facts_of_every_published_preset_are_asserted() -> None:
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_published_*.py"))
    tests += (Path(__file__).parent / "test_published.py").read_text("utf-8")
    for name in catalogue.CATALOGUE.keys() - OURS:
        named = rf"_(?:published|meta)\(\"{name}\"|{name}\.PRESETS\[\"published\"\]"
        assert re.search(named, tests), f"no test holds the published preset of {name}"
