"""Writes the pages that list things, from the code: `python docs/generate.py`, or `--check` in the tests.

cli.md from the commands, settings.md from the settings, errors.md from the tree of errors, perturbations.md
from the operations and presets, openapi.json from the routes of the API. What is in openapi.json is promised:
a change that would break a client is written only with `--break`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from detector.operations import OPERATIONS
from detector.presets import PRESETS
from detector.vocabulary import LIMITS, takes
from evidence import errors
from testsets.perturbations import written
from touchstone.api.app import bare_app
from touchstone.api.promises import breaks
from worker.settings import Settings

FOLDER = Path(__file__).parent
_NOTE = "<!-- Written by docs/generate.py: change the code, then run it. -->\n"


def main(arguments: list[str] | None = None) -> int:
    """Write every page, or with `--check` name those that differ from the code; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a page is old")
    parser.add_argument("--break", action="store_true", dest="breaking", help="break the API's promise")
    given = parser.parse_args(arguments)
    check = given.check
    broken = [] if given.breaking else broken_promises()
    if broken:
        print("docs/openapi.json promises what is gone:", *broken, sep="\n  ")
        return 1
    old = []
    for name, write in PAGES.items():
        text = "\n".join(write()) + "\n"
        if name.endswith(".md"):
            text = _NOTE + "\n" + text
        path = FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            old.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and old:
        print(f"Old: {', '.join(old)}. Run python docs/generate.py.")
        return 1
    return 0


def cli() -> Iterator[str]:
    """Every command with its arguments and options, as typer's own tool writes them."""
    command = [sys.executable, "-m", "typer", "touchstone.cli.main", "utils", "docs"]
    command += ["--name", "touchstone", "--title", "The command line"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=FOLDER.parent)
    yield run.stdout.strip()


def settings() -> Iterator[str]:
    """Every setting with its environment variable, default and meaning."""
    yield "# Settings\n"
    yield (
        "Read from the environment, then from `touchstone.toml` in the working directory (without the "
        "prefix, in lower case), then the default. `touchstone doctor` prints what is in force. "
        "`_FILE` behind a variable's name means the file that holds its value: "
        "`TOUCHSTONE_DATABASE_URL_FILE=/run/secrets/database_url`. Secrets are best given so.\n"
    )
    yield "| variable | default | means |"
    yield "|---|---|---|"
    prefix = Settings.model_config["env_prefix"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory is not None or field.default is None else field.default
        yield _row(
            f"`{prefix}{name.upper()}`", f"`{default}`" if default != "" else "", field.description or ""
        )


def error_codes() -> Iterator[str]:
    """Every code a report or a message can carry."""
    yield "# Errors\n"
    yield (
        "A file that cannot be examined has `status: unable`, a code from the first table, and a sentence "
        "that says what was found, what was allowed and what to do. A command that cannot do its work "
        "prints `touchstone: code: sentence`.\n"
    )
    for title, base in (
        ("Of one file", errors.MediaError),
        ("Of a model", errors.ModelError),
        ("Of training and evaluation", errors.TrainingError),
        ("Of Content Credentials", errors.ProvenanceError),
        ("Of the job store", errors.StoreError),
        ("Of a request to the API", errors.RequestError),
        ("Of access to the API", errors.AccessError),
        ("Of the client", errors.ClientError),
        ("Of a command", errors.TouchstoneError),
    ):
        yield f"## {title}\n"
        yield "| code | when |"
        yield "|---|---|"
        for kind in base.__subclasses__():
            if not kind.__subclasses__():
                said = " ".join((kind.__doc__ or "").removeprefix("Raised when ").split("\n\n")[0].split())
                yield _row(f"`{kind.code}`", said[:1].upper() + said[1:])
        yield ""


def perturbations() -> Iterator[str]:
    """Every operation with its settings, and every chain with a name."""
    yield "# Perturbations\n"
    yield (
        "What delivery does to pictures and clips, in one vocabulary for training, for the grid of "
        "[evaluate](evaluating.md#delivered-otherwise) and for test sets. A chain is written "
        "`jpeg:quality=75,sampling=4:2:0 | resize:factor=0.5,kernel=area`, or in TOML as a list of tables "
        '`{name = "jpeg", quality = 75}` and names. `60..95` (a list of two numbers in TOML) is a span and '
        "`area/bicubic` (a list of words) a choice; both are drawn for each item, and so is a seed that is "
        "not given. What was drawn is recorded, and gives the same pixels again. Masks go where their pixels "
        "go.\n"
    )
    yield "## Operations\n"
    yield "| name | does | settings |"
    yield "|---|---|---|"
    for name in LIMITS:
        does = (OPERATIONS[name].__doc__ or "").split("\n\n")[0]
        yield _row(f"`{name}`", does, takes(name))
    yield "\n## Chains with a name\n"
    yield "They stand in for kinds of delivery, not for one company's servers of one year.\n"
    yield "| name | chain |"
    yield "|---|---|"
    for name, chain in PRESETS.items():
        yield _row(f"`{name}`", f"`{written(chain)}`")


def openapi() -> Iterator[str]:
    """The description of the API, for programs that write clients."""
    yield json.dumps(bare_app().openapi(), indent=1, sort_keys=True)


def broken_promises() -> list[str]:
    """What docs/openapi.json holds and the routes do not keep."""
    path = FOLDER / "openapi.json"
    return (
        breaks(json.loads(path.read_text(encoding="utf-8")), bare_app().openapi()) if path.is_file() else []
    )


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "cli.md": cli,
    "settings.md": settings,
    "errors.md": error_codes,
    "perturbations.md": perturbations,
    "openapi.json": openapi,
}


def _row(*cells: str) -> str:
    """A row of a table; a bar inside a cell would end it."""
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
