"""`touchstone scan`: media in, verdicts out, in input order, whatever happens to single files."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from evidence.errors import UsageError
from evidence.medium import Sampling
from evidence.verdict import Report
from touchstone.cli import guard
from touchstone.cli.inputs import STDIN, Input, expand, names_one_file, read_list
from touchstone.cli.known import Memory, remembering
from touchstone.cli.progress import Mode, Teller, telling
from touchstone.cli.resume import ResumeFile
from touchstone.cli.signed_reports import SignedReports, signing
from touchstone.cli.stdin import saved_stdin
from touchstone.report.beside import beside
from touchstone.report.csv import CsvWriter
from touchstone.report.item import ReportItem
from touchstone.report.jsonl import JsonlWriter, JsonWriter
from touchstone.report.sink import STDOUT
from worker.beside import Beside
from worker.scanner import Scanned, Scanner
from worker.settings import Device, Settings, load_settings


@dataclass(frozen=True)
class ScanOptions:
    """What was asked for on the command line; None leaves a choice to the settings."""

    paths: tuple[str, ...] = ()
    from_file: str | None = None
    json: bool = False
    jsonl: Path | None = None
    csv: Path | None = None
    html: Path | None = None
    pdf: Path | None = None
    resume: Path | None = None
    every_seconds: float | None = None
    keyframes: bool = False
    max_frames: int | None = None
    model: str | None = None
    device: Device | None = None
    jobs: int | None = None
    fail_on_fake: bool = False
    log: bool = False
    sign: bool = False
    progress: Mode = "auto"


class Writer(Protocol):
    """Takes reports one by one."""

    def add(self, item: ReportItem) -> None: ...


@dataclass
class _Tally:
    """How the media of a run came out."""

    media: int = 0
    failed: int = 0
    fakes: int = 0

    def add(self, report: Report) -> None:
        self.media += 1
        self.failed += report.status == "unable"
        self.fakes += report.verdict == "fake"

    def exit_code(self, fail_on_fake: bool) -> int:
        if fail_on_fake and self.fakes:
            return guard.FAKE_FOUND
        if self.failed == self.media:
            return guard.NOTHING_DONE
        return guard.SOME_FAILED if self.failed else guard.DONE


def run(options: ScanOptions) -> int:
    """Scan and write what was asked for; returns the exit code.

    Raises UsageError, ModelError, SettingsError, OutputError, and Interrupted with how to go on.
    """
    arguments = _arguments(options)
    _refuse_one_file_for_two(options)
    inputs = expand(arguments)
    if not inputs:
        raise UsageError("There is no file to scan in what was named.", "Name files, folders or patterns.")
    settings = load_settings(model=options.model, device=options.device, decoders=options.jobs)
    sampling = _sampling(options, settings)
    tally = _Tally()
    with guard.patient_interrupts():
        try:
            with ExitStack() as stack:
                teller = stack.enter_context(telling(options.progress, len(inputs)))
                drawn = options.html is not None or options.pdf is not None
                scanner = stack.enter_context(
                    Scanner(
                        settings,
                        sampling=sampling,
                        previews=drawn,
                        on_frame=teller.frame,
                        fingerprints=settings.registry,
                    )
                )
                memory = stack.enter_context(remembering(settings))
                resume = _resume(options, scanner, stack)
                signed = signing(_files(options), settings, pdf=options.pdf) if options.sign else None
                writers = _writers(options, names_one_file(arguments), stack, signed)
                logged = _logged(settings, stack) if options.log else None
                pictures = stack.enter_context(Beside(settings.limits))
                for item in _items(inputs, scanner, memory, resume, stack, logged):
                    _hand_out(_with_beside(item, pictures) if drawn else item, writers, teller, tally)
                    if signed:
                        signed.add(item.report)
            if resume is not None:
                resume.put_in_order()
            if signed is not None:
                signed.sign_all(_files(options))
        except KeyboardInterrupt:
            raise guard.Interrupted(_how_to_go_on(options, tally, len(inputs))) from None
    return tally.exit_code(options.fail_on_fake)


def check_sampling(keyframes: bool, every_seconds: float | None) -> None:
    """Raise UsageError for a choice of frames that makes no sense."""
    if keyframes and every_seconds is not None:
        raise UsageError("--keyframes and --every exclude each other.", "Give one of them.")
    if every_seconds is not None and not 0 < every_seconds < math.inf:
        raise UsageError(f"--every {every_seconds} is no stretch of time.", "Give seconds above 0.")


def _arguments(options: ScanOptions) -> list[str]:
    listed = read_list(options.from_file) if options.from_file else []
    arguments = [*options.paths, *listed]
    if not arguments:
        raise UsageError(
            "Nothing to scan was named.", "Name files, folders, patterns, or - for standard input."
        )
    if STDIN in options.paths and options.from_file == STDIN:
        raise UsageError("Standard input cannot be both a medium and a list.", "Put one of them in a file.")
    return arguments


def _refuse_one_file_for_two(options: ScanOptions) -> None:
    """Two results in one file would overwrite each other. A JSONL may be what is resumed from."""
    taken: dict[str, str] = {}
    for name in ("jsonl", "csv", "html", "pdf", "resume"):
        path: Path | None = getattr(options, name)
        if path is None or path == STDOUT or (name == "resume" and path == options.jsonl):
            continue
        if (other := taken.setdefault(os.path.realpath(path), name)) != name:
            raise UsageError(f"--{other} and --{name} name the same file, {path}.", "Name another for one.")


def _sampling(options: ScanOptions, settings: Settings) -> Sampling:
    check_sampling(options.keyframes, options.every_seconds)
    return Sampling(
        mode="keyframes" if options.keyframes else "every",
        every_seconds=options.every_seconds or settings.every_seconds,
        max_frames=options.max_frames or settings.sample_frames,
    )


def _resume(options: ScanOptions, scanner: Scanner, stack: ExitStack) -> ResumeFile | None:
    if options.resume is None:
        return None
    resume = ResumeFile(options.resume, scanner.detector.fingerprint)
    stack.callback(resume.close)
    return resume


def _files(options: ScanOptions) -> list[Path]:
    """The reports that are one file for all media."""
    return [path for path in (options.html, options.jsonl, options.csv) if path and path != STDOUT]


def _writers(
    options: ScanOptions, single: bool, stack: ExitStack, signed: SignedReports | None
) -> list[Writer]:
    """The writers that were asked for; a table on standard output unless another one writes there."""
    writers: list[Writer] = []
    to_stdout = [path for path in (options.jsonl, options.csv) if path == STDOUT]
    if len(to_stdout) + options.json > 1:
        raise UsageError("Only one result can go to standard output.", "Give the others a file name.")
    if options.jsonl is not None and options.jsonl != options.resume:
        jsonl = JsonlWriter(options.jsonl)
        stack.callback(jsonl.close)
        writers.append(jsonl)
    if options.csv is not None:
        csv = CsvWriter(options.csv)
        stack.callback(csv.close)
        writers.append(csv)
    if options.html is not None:
        from touchstone.report.html import HtmlWriter

        writers.append(stack.enter_context(HtmlWriter(options.html)))
    if options.pdf is not None:
        from touchstone.report.printed import PdfWriter

        writers.append(
            PdfWriter(options.pdf, single=single, on_written=None if signed is None else signed.sign_one)
        )
    if options.json:
        json = JsonWriter(single=single)
        stack.callback(json.close)
        writers.append(json)
    elif not to_stdout:
        from rich.console import Console

        from touchstone.report.table import TableWriter

        table = TableWriter(Console(), card=single)
        stack.callback(table.close)
        writers.append(table)
    return writers


def _logged(settings: Settings, stack: ExitStack) -> Callable[[Report], Report]:
    """What takes a report into this machine's log and gives it back with its proof."""
    from worker.jobs.store import JobStore
    from worker.logbook import Logbook

    store = JobStore(settings.store_url)
    stack.callback(store.close)
    logbook = Logbook(store.engine, settings)
    logbook.head()  # a log that cannot be signed is told of before the first file, not after
    return lambda report: logbook.add(report, time.time())


def _items(
    inputs: Sequence[Input],
    scanner: Scanner,
    memory: Memory,
    resume: ResumeFile | None,
    stack: ExitStack,
    logged: Callable[[Report], Report] | None,
) -> Iterator[ReportItem]:
    """A report for every input, in order; what an earlier run or the walk already knows is not scanned."""
    known: deque[Callable[[], ReportItem] | None] = deque()
    stdin_path = ""

    def wanted() -> Iterator[str]:
        nonlocal stdin_path
        for item in inputs:
            earlier = _known(item, scanner, resume)
            known.append(earlier)
            if earlier is None and item.path == STDIN:
                stdin_path = stack.enter_context(saved_stdin(scanner.settings.limits.max_bytes))
                yield stdin_path
            elif earlier is None:
                yield item.path

    for scanned in scanner.scan_all(wanted()):
        while (earlier := known.popleft()) is not None:
            yield earlier()
        fresh = memory.scanned(_as_stdin(scanned, stdin_path))
        item = ReportItem(logged(fresh.report) if logged else fresh.report, fresh.preview, fresh.heat)
        if resume is not None:
            resume.add(item)
        yield item
    for rest in known:
        if rest is not None:
            yield rest()


def _known(item: Input, scanner: Scanner, resume: ResumeFile | None) -> Callable[[], ReportItem] | None:
    """How to get the report on an input that need not be scanned, or None."""
    if (problem := item.problem) is not None:
        return lambda: ReportItem(scanner.unable(item.path, problem).report)
    if resume is None or item.path == STDIN or (place := resume.find(item.path)) is None:
        return None

    def earlier() -> ReportItem:
        found = ReportItem(resume.load(place, item.path), taken_over=True)
        resume.add(found)
        return found

    return earlier


def _as_stdin(scanned: Scanned, path: str) -> Scanned:
    """The same under the name "-", when it came from standard input."""
    return scanned.named(STDIN) if path and scanned.report.media["path"] == path else scanned


def _with_beside(item: ReportItem, pictures: Beside) -> ReportItem:
    """The item with what its manifest shows of it; of standard input nothing is there any more."""
    path = str(item.report.media["path"])
    if item.preview is None or path == STDIN:
        return item
    found = beside(item.report.provenance, item.preview, lambda kind: pictures.find(path, kind))
    return replace(item, beside=found)


def _hand_out(item: ReportItem, writers: Sequence[Writer], teller: Teller, tally: _Tally) -> None:
    tally.add(item.report)
    for writer in writers:
        writer.add(item)
    teller.item(item.report)


def _how_to_go_on(options: ScanOptions, tally: _Tally, total: int) -> str:
    done = f"{tally.media} of {total} media are done."
    state = options.resume or (options.jsonl if options.jsonl != STDOUT else None)
    if state is None:
        return f"{done} A scan with --resume FILE can go on where it was stopped."
    return f"{done} Go on with the same command and --resume {state}."
