"""Attacks reach what is known to be reachable, keep to their budget, and do the same again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from detector.scoring import Seen
from detector.thresholds import Calibration
from evidence.errors import ModelError, UsageError
from evidence.medium import Pixels
from exports.registry import ModelEntry, Registry
from exports.runtime import open_detector
from tests import tiny_detector
from testsets.attacks import KINDS, Attack, attack, parse, perform
from testsets.gradients import Gradients
from testsets.likeness import largest_change, psnr_db
from testsets.smallest import smallest
from testsets.target import Oracle, OutOfQueries, Target
from worker.scan import judge_picture

ASKING = [name for name, kind in KINDS.items() if kind.needs != "pixels"]


def _target(entry: ModelEntry, *, fake_at: float = 0.5) -> Target:
    session, calibration = open_detector(entry, "cpu", 1), Calibration(fake_at=fake_at)
    return Target(
        entry.label,
        lambda pixels: judge_picture(pixels, session.run, tiles=64, part_margin=2.0),
        calibration,
        entry,
    )


@pytest.fixture(scope="module")
def colour(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """logit = (mean red - mean blue) / 16, to which the strongest part of a flat picture adds a constant."""
    folder = tiny_detector.install(tmp_path_factory.mktemp("colour"))
    return _target(Registry([folder]).get("colour"))


def _flat(lean: int) -> Pixels:
    """Grey whose red is `lean` levels above its blue: the same in every cell of the detector's map."""
    colour = np.array([128 + max(lean, 0), 128, 128 + max(-lean, 0)], np.uint8)
    return np.broadcast_to(colour, (64, 96, 3)).copy()


def _logit(target: Target, pixels: Pixels) -> float:
    return target.look(pixels).logit


@pytest.mark.parametrize("name", ["pgd", "apgd"])
@pytest.mark.parametrize("eps", [1, 2, 4])
def test_of_a_linear_detector_gradient_attacks_reach_the_optimum(colour: Target, name: str, eps: int) -> None:
    pixels = _flat(48)

    made = perform(attack(name, {"eps": eps, "beyond": 1000.0, "queries": 120}), pixels, colour, 0)

    # Red down and blue up by eps everywhere is the best there is, and worth 2 eps / 16.
    assert _logit(colour, pixels) - _logit(colour, made.pixels) == pytest.approx(2 * eps / 16, abs=1e-5)
    assert largest_change(pixels, made.pixels) == eps


def test_the_smallest_change_is_the_one_that_arithmetic_gives(colour: Target) -> None:
    pixels = _flat(48)
    gap = _logit(colour, pixels)  # the threshold of 0.5 lies at a logit of 0
    needed = math.floor(gap * 16 / 2) + 1

    made, least = smallest(attack("pgd", {"eps": 40}), pixels, colour, 0)

    assert least == {"eps": needed}
    assert made.flipped
    assert largest_change(pixels, made.pixels) <= needed


def test_the_smallest_share_of_a_change_without_levels_is_found_by_halving(colour: Target) -> None:
    pixels = _flat(48)

    whole = perform(attack("patch", {"area": 0.5, "beyond": 1.0, "queries": 200}), pixels, colour, 0)
    made, least = smallest(attack("patch", {"area": 0.5, "beyond": 1.0, "queries": 200}), pixels, colour, 0)

    assert 0 < least["share"] < 1
    assert made.flipped
    assert made.psnr > whole.psnr


def test_the_gradients_logit_is_that_of_the_scan(colour: Target) -> None:
    rng = np.random.default_rng(0)
    for shape in ((40, 70, 3), (64, 64, 3), (300, 530, 3)):
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)

        logit, slope = Gradients(colour, "")(pixels)

        assert logit == pytest.approx(_logit(colour, pixels), abs=1e-4)
        assert slope.shape == shape
        assert (slope[..., 0] >= 0).all()
        assert (slope[..., 2] <= 0).all()


def test_a_patch_changes_one_square_alone(colour: Target) -> None:
    pixels = _flat(16)

    made = perform(attack("patch", {"area": 0.1}), pixels, colour, 3)

    rows, columns = np.nonzero((made.pixels != pixels).any(axis=2))
    side = round(math.sqrt(0.1 * 64 * 96))
    assert made.flipped
    assert np.ptp(rows) < side
    assert np.ptp(columns) < side


@pytest.mark.parametrize("queries", [2, 3, 50, 200])
@pytest.mark.parametrize("name", ASKING)
def test_no_attack_asks_more_often_than_it_may(colour: Target, name: str, queries: int) -> None:
    asked = 0

    def counting(pixels: Pixels) -> Seen:
        nonlocal asked
        asked += 1
        return colour.look(pixels)

    counted = Target("counted", counting, colour.calibration, colour.entry)
    hard = {"queries": queries} | ({"beyond": 1000.0} if "beyond" in KINDS[name].settings else {"psnr": 60})

    made = perform(attack(name, hard), _flat(90), counted, 0)

    assert asked <= made.queries <= queries


@pytest.mark.parametrize("eps", [1, 3, 9])
@pytest.mark.parametrize("name", [name for name in ASKING if "eps" in KINDS[name].settings])
def test_no_change_is_larger_than_allowed_also_at_black_and_white(
    colour: Target, name: str, eps: int
) -> None:
    pixels = np.random.default_rng(1).choice(np.array([0, 1, 254, 255], np.uint8), (64, 64, 3))

    made = perform(attack(name, {"eps": eps, "queries": 60, "beyond": 1000.0}), pixels, colour, 0)

    assert 0 < largest_change(pixels, made.pixels) <= eps


def test_the_square_attack_comes_near_the_optimum_of_a_linear_detector(colour: Target) -> None:
    pixels = _flat(48)

    made = perform(attack("square", {"eps": 4, "queries": 2000, "beyond": 1000.0}), pixels, colour, 0)

    assert _logit(colour, pixels) - _logit(colour, made.pixels) > 0.6 * 2 * 4 / 16


def test_the_boundary_attack_brings_the_picture_near_with_verdicts_alone(colour: Target) -> None:
    pixels = tiny_detector.picture(64, 64, lean=1.0)

    strict = replace(colour, calibration=Calibration(fake_at=0.6))

    few, many = (
        perform(attack("boundary", {"queries": queries, "psnr": 60.0}), pixels, strict, 0)
        for queries in (60, 600)
    )

    assert few.flipped
    assert many.flipped
    assert many.psnr > few.psnr + 4
    assert _logit(colour, many.pixels) < math.log(0.6 / 0.4) <= _logit(colour, pixels)


def test_a_real_picture_is_made_to_read_as_fake(colour: Target) -> None:
    pixels = _flat(-90)

    made = perform(attack("pgd", {"eps": 64}), pixels, colour, 0)

    assert made.fake is False
    assert made.flipped
    assert made.before is not None
    assert made.after is not None
    assert made.before < 0.5 <= made.after


@pytest.mark.parametrize("name", list(KINDS))
def test_the_same_seed_gives_the_same_bytes(colour: Target, name: str) -> None:
    pixels = tiny_detector.picture(64, 80, lean=1.5)
    settings = {"queries": 40} if "queries" in KINDS[name].settings else {}

    first, again = (perform(attack(name, settings), pixels, colour, 7) for _ in range(2))

    assert np.array_equal(first.pixels, again.pixels)
    assert first.to_dict() == again.to_dict()
    assert first.pixels.shape == pixels.shape


def test_an_oracle_lets_nobody_ask_once_too_often(colour: Target) -> None:
    oracle = Oracle(colour, _flat(8), 2)
    oracle.ask(_flat(9))

    with pytest.raises(OutOfQueries):
        oracle.ask(_flat(9))

    assert oracle.queries == 2


def test_a_detector_that_calls_nothing_fake_cannot_be_attacked(colour: Target) -> None:
    never = Target("never", colour.look, Calibration(fake_at=math.inf), colour.entry)

    with pytest.raises(ModelError, match="calls no picture of 96 x 64 px fake"):
        perform(attack("square"), _flat(8), never, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("triangle", "no attack called 'triangle'.*square"),
        ("square:eps=0", "eps of the attack square is '0'; allowed are whole numbers from 1 to 64"),
        ("square:eps=2.5", "eps of the attack square is '2.5'; allowed are whole"),
        ("square:colour=2", "no setting colour.*queries"),
        ("square:eps", "'eps' in the attack 'square:eps' sets nothing"),
        ("resample:kernel=sharp", "kernel of the attack resample is 'sharp'; allowed are nearest"),
        ("notch:height=nan", "allowed are numbers from 1.5 to 1000"),
    ],
)
def test_what_is_no_attack_is_refused_with_what_would_be_one(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(text)


def test_an_attack_is_read_and_spelled_alike() -> None:
    asked = parse("square:queries=10000, eps=2")

    assert asked == Attack("square", {"queries": 10000, "beyond": 0.0, "eps": 2, "area": 0.3})
    assert parse(str(asked)) == asked


def test_an_attack_that_asks_needs_somebody_to_ask() -> None:
    with pytest.raises(UsageError, match="square asks a detector"):
        perform(attack("square"), _flat(8), None, 0)


Theirs = Callable[..., Target]


@pytest.fixture
def theirs(tmp_path: Path) -> Theirs:
    """A third party's detector of 32 px with two classes: real by blue, fake by red."""

    def make(toml: str = "", *, operator: str = "GlobalAveragePool", opset: int = 17) -> Target:
        nodes = [
            helper.make_node(operator, ["input"], ["means"]),
            helper.make_node("Flatten", ["means"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights"], ["scores"]),
        ]
        weights = np.array([[0, 8], [0, 0], [8, 0]], np.float32)
        graph = helper.make_graph(
            nodes,
            "theirs",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 32, 32])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])],
            [numpy_helper.from_array(weights, "weights")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        onnx.save(model, tmp_path / "theirs.onnx")
        (tmp_path / "theirs.toml").write_text(
            f"[input]\nsize = [32, 32]\n{toml}\n[output]\nindex = 1\nvalues = 'classes'\n"
        )
        return _target(ModelEntry.from_file(tmp_path / "theirs.onnx"))

    return make


@pytest.mark.parametrize("fit", ['fit = "crop"', 'fit = "resize"', 'fit = "resize"\nkernel = "bicubic"'])
@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_a_third_partys_detector_is_attacked_through_its_own_preprocessing(
    theirs: Theirs, fit: str, channels: str
) -> None:
    target = theirs(f'{fit}\nchannels = "{channels}"')
    pixels = _flat(8 if channels == "RGB" else -8)

    made = perform(attack("pgd", {"eps": 8}), pixels, target, 0)

    assert made.fake
    assert made.flipped


def test_an_operator_without_a_gradient_is_named_and_other_attacks_offered(theirs: Theirs) -> None:
    target = theirs(operator="GlobalLpPool")

    with pytest.raises(ModelError, match=r"operators GlobalLpPool .*square, boundary"):
        perform(attack("pgd"), _flat(8), target, 0)

    assert perform(attack("square", {"eps": 40, "queries": 40}), _flat(2), target, 0).queries <= 40


def test_a_detector_without_a_file_has_no_gradient(colour: Target) -> None:
    bare = Target("somebody's function", colour.look, colour.calibration)

    with pytest.raises(ModelError, match=r"no ONNX file.*square"):
        perform(attack("apgd"), _flat(8), bare, 0)


def test_likeness_has_its_closed_form() -> None:
    pixels = _flat(0)

    assert psnr_db(pixels, pixels + np.uint8(2)) == pytest.approx(20 * math.log10(255 / 2))
