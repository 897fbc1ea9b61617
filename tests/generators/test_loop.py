"""The loop: exact resume after kill -9, refusals, divergence, collapse, Ctrl-C, budget, and its record."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from evidence.errors import ConfigMismatch, Diverged, OutputError, TrainingError
from generators.contract import Optimisation
from generators.training import checkpoint
from generators.training.loop import Cadence, Progress, train
from generators.training.step import Run
from tests.toy_gan import ToyConfig, pictures, toy

BUSY = Cadence(log_seconds=0.0, sample_seconds=1e9, checkpoint_seconds=0.0)
QUIET = Cadence(log_seconds=1e9, sample_seconds=1e9, checkpoint_seconds=1e9)

_KILLED_AT_32 = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.toy_gan import pictures, toy
from generators.training.loop import Cadence, train

def kill(progress):
    if progress.images_seen >= 32:
        os.kill(os.getpid(), signal.SIGKILL)

train(toy(penalty="r1", penalty_weight=1.0), pictures(), out=Path(sys.argv[1]), seed=7, on_progress=kill,
      device="cpu", cadence=Cadence(log_seconds=0.0, sample_seconds=1e9, checkpoint_seconds=0.0))
"""


def _lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_run_killed_with_kill_9_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    options = {"penalty": "r1", "penalty_weight": 1.0}
    train(toy(**options), pictures(), out=tmp_path / "whole", seed=7, device="cpu", cadence=BUSY)

    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_AT_32, str(tmp_path / "killed"), str(Path(__file__).parents[1])],
        cwd=Path(__file__).resolve().parents[2],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert checkpoint.load(tmp_path / "killed")["images_seen"] < 64
    # Another first draw of weights: all of them must come from the checkpoint.
    train(
        toy(seed=99, **options),
        pictures(),
        out=tmp_path / "killed",
        seed=7,
        resume=True,
        device="cpu",
        cadence=BUSY,
    )

    whole, resumed = (checkpoint.load(tmp_path / name) for name in ("whole", "killed"))
    for part in ("model", "ema"):
        assert all(torch.equal(whole[part][key], resumed[part][key]) for key in whole[part])
    steps = [line["step"] for line in _lines(tmp_path / "killed") if "losses" in line]
    assert sorted(set(steps)) == list(range(1, 9))  # each step told, none lost


def test_a_finished_run_keeps_its_average_with_statistics_of_its_own(tmp_path: Path) -> None:
    train(toy(), pictures(), out=tmp_path, seed=7, device="cpu", cadence=QUIET)
    state = checkpoint.load(tmp_path)
    run = Run(toy(), pictures(), seed=7, device=torch.device("cpu"))
    run.restore(state)
    run.ema.settle(run.model, run.data, seed=7, step=run.step)
    kept, settled = state["ema"]["norm.running_mean"], run.ema.generator.norm.running_mean
    assert torch.equal(kept, settled)
    assert not torch.equal(kept, state["model"]["generator.norm.running_mean"])


def test_a_folder_with_a_run_is_never_overwritten(tmp_path: Path) -> None:
    train(toy(total_images=8), pictures(), out=tmp_path, device="cpu", cadence=QUIET)
    with pytest.raises(OutputError, match="--resume"):
        train(toy(total_images=8), pictures(), out=tmp_path, device="cpu", cadence=QUIET)


def test_resuming_with_another_configuration_names_each_field_that_differs(tmp_path: Path) -> None:
    train(toy(total_images=8), pictures(), out=tmp_path, device="cpu", cadence=QUIET)
    with pytest.raises(ConfigMismatch) as refusal:
        train(
            toy(total_images=8, generator_lr=0.5),
            pictures(),
            out=tmp_path,
            seed=1,
            resume=True,
            device="cpu",
            cadence=QUIET,
        )
    assert "optimisation.generator_lr: 0.0002 -> 0.5" in refusal.value.message
    assert "seed: 0 -> 1" in refusal.value.message
    assert "batch" not in refusal.value.message


def test_a_loss_that_is_not_finite_leaves_the_last_checkpoint_as_it_was(tmp_path: Path) -> None:
    train(toy(total_images=24), pictures(), out=tmp_path / "good", device="cpu", cadence=QUIET)
    with pytest.raises(Diverged, match="at 24 images") as caught:
        train(toy(config=ToyConfig(breaks_at=24)), pictures(), out=tmp_path / "b", device="cpu", cadence=BUSY)
    good, kept = (checkpoint.load(tmp_path / name) for name in ("good", "b"))
    # To the bit, and the running means of batch norm too, which the step that failed has moved.
    assert all(torch.equal(value, kept["model"][name]) for name, value in good["model"].items())
    assert f"{tmp_path / 'b' / 'checkpoint.pt'} holds the last good state, of 24 images." in str(caught.value)
    assert _lines(tmp_path / "b")[-1]["event"] == "diverged"


def test_a_run_that_diverges_before_its_first_checkpoint_says_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="No checkpoint had been written"):
        train(toy(config=ToyConfig(breaks_at=24)), pictures(), out=tmp_path, device="cpu", cadence=QUIET)
    assert not (tmp_path / checkpoint.CHECKPOINT).exists()


def _of_another_system(state: dict[str, object]) -> object:
    return state | {"system": "dcgan"}


def _of_other_shapes(state: dict[str, object]) -> object:
    weights: dict[str, torch.Tensor] = state["model"]  # type: ignore[assignment]
    return state | {"model": {f"{name}.old": value for name, value in weights.items()}}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (_of_another_system, "is of dcgan, its config.json of toy"),
        (_of_other_shapes, "does not fit its config.json: .*[Mm]issing key.*another version"),
        (lambda state: {"model": state["model"]}, "does not fit its config.json: it has no 'step'"),
        (lambda state: state | {"format": 99}, "has format 99; this version reads 1"),
        (lambda state: torch.zeros(3), "no checkpoint of a training run"),
        (lambda state: {"weights": 1}, "no checkpoint of a training run"),
    ],
)
def test_a_checkpoint_of_something_else_is_named_and_stays(
    tmp_path: Path, changed: Callable[[dict[str, object]], object], words: str
) -> None:
    train(toy(total_images=8), pictures(), out=tmp_path, device="cpu", cadence=QUIET)
    target = tmp_path / checkpoint.CHECKPOINT
    torch.save(changed(checkpoint.load(tmp_path)), target)
    before = target.read_bytes()
    with pytest.raises(TrainingError, match=words):
        train(toy(total_images=8), pictures(), out=tmp_path, resume=True, device="cpu", cadence=QUIET)
    assert target.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x80\x04no pickle", b"text\n"])
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    train(toy(total_images=8), pictures(), out=tmp_path, device="cpu", cadence=QUIET)
    (tmp_path / checkpoint.CHECKPOINT).write_bytes(content)
    with pytest.raises(TrainingError, match="cannot be read") as caught:
        checkpoint.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_configuration_that_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    train(toy(total_images=8), pictures(), out=tmp_path, device="cpu", cadence=QUIET)
    (tmp_path / checkpoint.CONFIG).write_text(text)
    with pytest.raises(TrainingError, match=r"config\.json cannot be read as JSON"):
        train(toy(total_images=8), pictures(), out=tmp_path, resume=True, device="cpu", cadence=QUIET)


class _Full:
    """A disk on which nothing more can be written: what `torch.save` and `write_bytes` then meet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def fill(self) -> None:
        def refuse(*given: object, **named: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.monkeypatch.setattr("torch.save", refuse)
        self.monkeypatch.setattr(Path, "write_bytes", refuse)


@pytest.mark.parametrize("sampling", [0.0, 1e9], ids=["at a sheet of samples", "at a checkpoint"])
def test_on_a_full_disk_the_run_ends_in_a_line_and_its_last_checkpoint_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampling: float
) -> None:
    cadence, disk = Cadence(log_seconds=0.0, sample_seconds=1e9, checkpoint_seconds=0.0), _Full(monkeypatch)
    if sampling == 0.0:
        cadence = Cadence(log_seconds=0.0, sample_seconds=0.0, checkpoint_seconds=0.0)

    def fill(progress: Progress) -> None:
        if progress.images_seen == 24:
            disk.fill()

    with pytest.raises(OutputError, match=r"cannot be written.*No space left.*Free some space"):
        train(toy(), pictures(), out=tmp_path, device="cpu", cadence=cadence, on_progress=fill)
    monkeypatch.undo()
    assert checkpoint.load(tmp_path)["images_seen"] == 16
    assert not list(tmp_path.rglob("*.partial"))
    record = train(toy(), pictures(), out=tmp_path, resume=True, device="cpu", cadence=QUIET)
    assert record.images_seen == 64


def test_samples_that_become_alike_are_said_in_log_record_and_progress(tmp_path: Path) -> None:
    notices: list[str] = []
    record = train(
        toy(config=ToyConfig(shrinks_at=48)),
        pictures(),
        out=tmp_path,
        device="cpu",
        cadence=Cadence(log_seconds=1e9, sample_seconds=0.0, checkpoint_seconds=1e9),
        on_progress=lambda progress: notices.append(progress.notice),
    )
    assert record.collapsed_at[0] == 48
    assert record.diversity < 0.1
    assert any("collapsed" in notice for notice in notices)
    assert any(line.get("event") == "collapse" for line in _lines(tmp_path))


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    said: list[str] = []

    def press(progress: Progress) -> None:
        said.append(progress.notice)
        if progress.images_seen == 16 and said.count("") == 2:  # the second line of the log
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    record = train(toy(), pictures(), out=tmp_path, device="cpu", cadence=BUSY, on_progress=press)
    assert (record.stopped, record.images_seen) == ("interrupted", 16)
    assert "--resume" in said[-1]
    assert signal.getsignal(signal.SIGINT) is before
    finished = train(toy(), pictures(), out=tmp_path, resume=True, device="cpu", cadence=QUIET)
    assert (finished.stopped, finished.images_seen) == ("total_images", 64)


def test_a_spent_budget_stops_the_run_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    record = train(toy(), pictures(), out=tmp_path, budget_minutes=0.0, device="cpu", cadence=QUIET)
    assert (record.stopped, record.images_seen) == ("budget", 0)
    record = train(
        toy(), pictures(), out=tmp_path, budget_minutes=10.0, resume=True, device="cpu", cadence=QUIET
    )
    assert (record.stopped, record.images_seen) == ("total_images", 64)


def test_a_finished_run_leaves_its_configuration_record_samples_and_plot(tmp_path: Path) -> None:
    record = train(toy(), pictures(), out=tmp_path, seed=4, command="touchstone train toy", device="cpu")
    stored = json.loads((tmp_path / "record.json").read_text())
    assert stored["command"] == "touchstone train toy"
    assert stored["data_sha256"] == {"random": "0"}
    assert stored["steps"] == record.steps == 8
    assert stored["parameters"] == {"generator": 3 * 16 + 16 + 32, "discriminator": 17}
    assert set(stored["losses"]) == {"generator", "discriminator"}
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 4
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["000000064.png"]
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.rglob("*.partial"))


def test_more_turns_of_one_player_follow_the_options_and_count_every_real(tmp_path: Path) -> None:
    turns: list[str] = []
    model = toy(discriminator_steps=3, generator_steps=2, generator_first=True, total_images=24)
    for name in ("discriminator_loss", "generator_loss"):
        played = getattr(model, name)
        setattr(model, name, lambda *a, n=name, f=played: (turns.append(n), f(*a))[1])
    record = train(model, pictures(), out=tmp_path, device="cpu", cadence=QUIET)
    assert turns == ["generator_loss"] * 2 + ["discriminator_loss"] * 3
    assert record.images_seen == 24


def test_bf16_trains_and_leaves_weights_in_fp32(tmp_path: Path) -> None:
    train(toy(precision="bf16", total_images=16), pictures(), out=tmp_path, device="cpu", cadence=QUIET)
    weights = checkpoint.load(tmp_path)["model"]
    assert {value.dtype for value in weights.values()} == {torch.float32, torch.int64}


def test_a_damaged_checkpoint_is_refused_with_advice(tmp_path: Path) -> None:
    train(toy(total_images=8), pictures(), out=tmp_path, device="cpu", cadence=QUIET)
    target = tmp_path / checkpoint.CHECKPOINT
    target.write_bytes(target.read_bytes()[:200])
    with pytest.raises(TrainingError, match="cannot be read"):
        train(toy(total_images=8), pictures(), out=tmp_path, resume=True, device="cpu", cadence=QUIET)


def test_the_plot_is_there_while_a_run_goes_on(tmp_path: Path) -> None:
    seen: list[bool] = []
    cadence = Cadence(log_seconds=0.0, sample_seconds=0.0, checkpoint_seconds=1e9)

    def look(_: Progress) -> None:
        seen.append((tmp_path / "run" / "training.png").is_file())

    train(toy(), pictures(), out=tmp_path / "run", on_progress=look, cadence=cadence, device="cpu")
    assert seen[0] is False
    assert any(seen[1:-1])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (MemoryError(), "There is too little memory for 8 images a step.*--set batch=4"),
        ("CUDA out of memory. Tried to allocate 20 GiB", "--set batch=4"),
        ("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory", "too little memory"),
        ("CUDA error: unspecified launch failure", "--resume"),
    ],
)
def test_a_machine_that_gives_up_is_said_and_the_last_checkpoint_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | MemoryError, words: str
) -> None:
    model = toy()
    turns = iter(range(100))
    whole = model.generator_loss

    def fails(batch: object, rng: torch.Generator) -> object:
        if next(turns) == 3:
            raise said if isinstance(said, MemoryError) else RuntimeError(said)
        return whole(batch, rng)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "generator_loss", fails)
    with pytest.raises(TrainingError, match=words) as caught:
        train(model, pictures(), out=tmp_path / "run", cadence=BUSY, device="cpu")
    assert checkpoint.load(tmp_path / "run")["step"] == 3
    assert "holds the last good state, of 24 images" in str(caught.value)


def test_an_error_of_the_code_is_not_dressed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy()

    def fails(batch: object, rng: torch.Generator) -> object:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(model, "generator_loss", fails)
    with pytest.raises(RuntimeError, match="mat1"):
        train(model, pictures(), out=tmp_path / "run", cadence=BUSY, device="cpu")


def test_rates_stay_without_a_decay_even_past_the_last_image() -> None:
    constant = Optimisation(total_images=10)
    assert constant.at(11) == constant
    falling = Optimisation(total_images=10, generator_lr=1.0, decay_from=0.5)
    assert [falling.at(seen).generator_lr for seen in (5, 10, 12)] == [1.0, 0.0, 0.0]
