"""DR-GAN and TP-GAN: the geometry they lean on, what their losses are made of, and that they obey."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from evidence.errors import UsageError
from generators import catalogue
from generators.contract import Batch
from generators.losses.frontal import asymmetry, distances, variation
from generators.losses.identity import identity_loss
from generators.losses.turned import known_answers
from generators.networks.casia import PoseCode
from generators.networks.turning import depth, lookup, turned, window
from generators.networks.two_pathways import PARTS, cut
from generators.systems import dr_gan, tp_gan
from generators.training.command import run
from generators.training.step import Run
from generators.verdict import VERDICT
from tests.toy_gan import Conditioned

SIDE = 32


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _yaw(*degrees: float) -> Tensor:
    return torch.tensor(degrees)


def _heads(yaw: Tensor, seed: int = 0) -> Tensor:
    """Smooth heads (B, 3, S, S) much like one another, alike in both halves, turned to `yaw` (B,)."""
    common = torch.rand(1, 3, 8, 4, generator=_rng(1)) * 1.2 - 0.6
    half = common + torch.rand(len(yaw), 3, 8, 4, generator=_rng(seed)) * 0.4 - 0.2
    faces = F.interpolate(torch.cat((half, half.flip(-1)), 3), (SIDE, SIDE), mode="bilinear")
    return turned(faces, torch.zeros_like(yaw), yaw)


class _Heads:
    """Heads with their yaw, each beside its mirror image."""

    sha256: dict[str, str] = {}  # noqa: RUF012
    names: dict[str, tuple[str, ...]] = {"persons": ("a",)}  # noqa: RUF012

    def __len__(self) -> int:
        return 1000

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        yaw = torch.rand(count, generator=rng) * 80 - 40
        images = _heads(yaw, int(torch.randint(1 << 30, (1,), generator=rng)))
        extra = {
            "yaw": yaw,
            "identity": torch.full((count,), -1),
            "turned": images.flip(-1),
            "turned_yaw": -yaw,
        }
        return Batch(images, extra=extra)


class _Always(_Heads):
    """One batch again and again."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        return self.batch


def test_a_face_that_stays_is_looked_up_where_it_is() -> None:
    places = lookup(_yaw(-20, 0, 10), _yaw(-20, 0, 10), SIDE)
    still = lookup(_yaw(0), _yaw(0), SIDE)
    # Six steps leave the point half a pixel of 64 off at most; at 45 degrees it would be two.
    assert torch.allclose(places, still.expand_as(places), atol=1 / 64)
    faces = _heads(_yaw(0))
    assert torch.allclose(turned(faces, _yaw(0), _yaw(0)), faces, atol=1e-5)


def test_the_nose_moves_as_measured_and_the_eyes_stay() -> None:
    # Least squares over LFW: the tip by 0.36 sin(yaw) of half the side, eyes by less than 0.04.
    nose, eye = (float(depth(torch.tensor(x), torch.tensor(y))) for x, y in ((0.0, 0.185), (0.275, -0.155)))
    assert nose == pytest.approx(0.36, abs=0.03)
    assert eye == pytest.approx(-0.03, abs=0.04)
    dot = torch.zeros(1, 1, 64, 64)
    dot[..., 36:39, 31:33] = 1.0
    seen = turned(dot, _yaw(0), _yaw(30))[0, 0]
    middle = float((seen.sum(0) * torch.arange(64)).sum() / seen.sum())
    assert middle - 31.5 == pytest.approx(0.36 * math.sin(math.radians(30)) * 32, abs=1.5)


def test_turning_is_the_same_in_a_mirror() -> None:
    faces = torch.rand(2, 3, SIDE, SIDE, generator=_rng())
    here = turned(faces, _yaw(5, -10), _yaw(-20, 30))
    there = turned(faces.flip(-1), _yaw(-5, 10), _yaw(20, -30)).flip(-1)
    assert torch.allclose(here, there, atol=1e-4)


def test_the_pose_code_is_one_hot_on_a_bin_and_shared_between_two() -> None:
    code = PoseCode(7, 45.0)
    assert torch.equal(code(_yaw(-45, 0, 45)), F.one_hot(torch.tensor([0, 3, 6]), 7).float())
    assert torch.allclose(code(_yaw(5))[0, 3:5], torch.tensor([2 / 3, 1 / 3]), atol=1e-6)
    assert torch.allclose(code(torch.linspace(-80, 80, 33)).sum(1), torch.ones(33), atol=1e-6)


def test_known_answers_cost_nothing_when_they_are_given() -> None:
    batch = _Heads().draw(8, _rng())
    mirror, pair = known_answers(lambda images, yaw: images.flip(-1), batch)
    assert (float(mirror), float(pair)) == (0, 0)
    mirror, pair = known_answers(lambda images, yaw: images.flip(-1) + 0.25, batch)
    # The weights of the window have mean 1.
    assert [float(mirror), float(pair)] == pytest.approx([0.25, 0.25], abs=1e-5)
    assert float(window(64, torch.device("cpu"))[0, 0]) < 0.01


def test_faces_of_nobody_known_cost_no_identity() -> None:
    logits = torch.randn(3, 5, generator=_rng())
    assert float(identity_loss(logits, torch.tensor([-1, -1, -1]))) == 0
    one = identity_loss(logits, torch.tensor([-1, 2, -1]))
    assert torch.equal(one, F.cross_entropy(logits[1:2], torch.tensor([2])))


def test_where_no_person_has_two_pictures_nobody_is_to_be_named() -> None:
    logits = torch.zeros(4, 0, requires_grad=True)
    loss = identity_loss(logits, torch.full((4,), -1))
    assert loss.item() == 0.0
    torch.autograd.backward(loss)


@pytest.mark.parametrize("name", ["dr_gan", "tp_gan"])
@pytest.mark.parametrize("prefix", ["", "frontal:"])
def test_a_folder_without_persons_trains_and_is_judged(
    name: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, rows = np.random.default_rng(0), ["file,yaw"]
    for n in range(12):
        cv2.imwrite(str(tmp_path / f"{n}.png"), rng.integers(0, 256, (48, 40, 3), np.uint8))
        rows.append(f"{n}.png,{8 * (n - 6)}")
    (tmp_path / "poses.csv").write_text("\n".join(rows) + "\n")
    for module in (dr_gan, tp_gan):
        monkeypatch.setattr(module, "yaw_of", lambda faces: faces.mean((1, 2, 3)))
    out = tmp_path / "run"
    record = run(name, data=f"{prefix}{tmp_path}", preset="smoke", budget_minutes=10, out=out)
    assert record.images_seen == 32
    assert (out / VERDICT).is_file()


def test_a_symmetric_face_costs_no_symmetry_and_a_step_of_height_one_costs_its_side() -> None:
    faces = [_heads(_yaw(0)), _heads(_yaw(0))[..., ::2, ::2] * 0, torch.zeros(1, 3, 8, 8)]
    assert float(asymmetry(faces, (1.0, 1.0, 1.5))) == pytest.approx(0, abs=1e-3)
    step = torch.zeros(1, 3, SIDE, SIDE)
    step[..., SIDE // 2 :] = 1.0
    # Halved, each of 16 x 8 places is off by one.
    assert float(asymmetry([step], (1.0,))) == pytest.approx(128)
    assert float(variation(step)) == 3 * SIDE


def test_photographs_count_in_blocks_and_exact_answers_by_the_pixel() -> None:
    truth = torch.zeros(2, 3, SIDE, SIDE)
    stripes = torch.ones(2, 3, SIDE, SIDE)
    stripes[..., ::2] = -1.0  # of mean 0 in every block
    exact = torch.tensor([True, False])
    assert float(distances([stripes], truth, exact, (2.0,))) == pytest.approx(2 * SIDE**2 / 2)


def test_dr_gan_adds_up_its_parts_and_turns_each_face_to_the_yaw_of_another() -> None:
    model = catalogue.create("dr_gan", "smoke", batch=4)
    assert isinstance(model, dr_gan.DrGan)
    batch = _Heads().draw(4, _rng())
    losses = model.generator_loss(batch, _rng())
    assert float(losses.total.detach()) == pytest.approx(
        sum(float(v.detach()) for v in losses.parts.values())
    )
    model.eval()
    asked: list[Tensor] = []
    model.generator.register_forward_pre_hook(lambda _, given: asked.append(given[1]))
    model.sample(batch, 4, _rng())
    assert torch.equal(asked[0].sort().values, batch.extra["yaw"].sort().values)


def test_dr_gan_learns_the_yaw_of_its_source() -> None:
    options: dict[str, Any] = {"batch": 16, "generator_lr": 2e-3, "total_images": 9_600, "width": 8}
    model = catalogue.create("dr_gan", "smoke", ema_half_life_images=0.0, **options)
    assert isinstance(model, dr_gan.DrGan)
    run = Run(model, _Heads(), seed=0, device=torch.device("cpu"))
    for _ in range(60):
        run.advance()
    batch = _Heads().draw(64, _rng(9))
    model.eval()
    with torch.no_grad():
        found = model.generator.turned(batch.images, torch.zeros(64)).estimated
    # Its zero is still on the move after so few steps; nothing learnt is a correlation of 0.12 by chance.
    assert float(torch.corrcoef(torch.stack((found, batch.extra["yaw"])))[0, 1]) > 0.7


def test_the_paper_s_generator_paints_from_person_pose_and_noise() -> None:
    model = catalogue.create("dr_gan", "published", image_size=32, share=0.125, batch=2).train()
    inputs = model.export_inputs(3)
    assert inputs.keys() == {"source", "yaw", "z"} == model.inputs().keys()
    faces = model.exported()(**inputs)
    assert faces.shape == (3, 3, 32, 32)
    for name in inputs:
        changed = model.exported()(**(inputs | {name: inputs[name].flip(0)}))
        assert not torch.equal(changed, faces)
    batch = Conditioned(model.image_shape).draw(2, _rng())
    assert model.generator_loss(batch, _rng()).parts.keys() == {"adversarial", "person", "pose"}


def test_tp_gan_is_asked_with_faces_turned_by_geometry_unless_there_is_a_photograph() -> None:
    model = catalogue.create("tp_gan", "smoke", batch=4)
    assert isinstance(model, tp_gan.TpGan)
    batch = _Heads().draw(4, _rng())
    batch.extra["turned_yaw"] = _yaw(30, -5, 40, 8)
    source, exact = model._asked(batch, _rng())
    assert exact.tolist() == [False, True, False, True]
    assert torch.equal(source[0], batch.extra["turned"][0])
    assert not torch.equal(source[1], batch.extra["turned"][1])
    plain = catalogue.create("tp_gan", "smoke", batch=4, turn=False)
    assert isinstance(plain, tp_gan.TpGan)
    assert torch.equal(plain._asked(batch, _rng())[0], batch.extra["turned"])


def test_parts_are_cut_and_put_back_in_their_places() -> None:
    model = catalogue.create("tp_gan", "published", image_size=128, width=8, discriminator_width=4)
    assert isinstance(model, tp_gan.TpGan)
    face = torch.rand(1, 3, 128, 128, generator=_rng())
    patches = model.generator.patches
    placed = model.generator._placed({part: cut(face, patches[part]) for part in PARTS})
    covered = placed > 0
    assert torch.equal(placed[covered], face[covered])
    assert int(covered[0, 0].sum()) == int((placed[0, 0] != 0).sum()) > 40 * 40 * 2


def test_tp_gan_comes_nearer_to_the_frontal_face() -> None:
    options: dict[str, Any] = {"batch": 8, "generator_lr": 3e-3, "total_images": 9_600, "latent": 0}
    model = catalogue.create("tp_gan", "smoke", **options)
    batch = _Heads().draw(8, _rng())
    batch.extra["yaw"] = torch.zeros(8)
    run = Run(model, _Always(batch), seed=0, device=torch.device("cpu"))
    distance = [run.advance()["l1"] for _ in range(25)]
    assert sum(distance[-3:]) / 3 < 0.6 * distance[0]


@pytest.mark.parametrize("name", ["dr_gan", "tp_gan"])
def test_without_faces_to_turn_they_say_so(name: str) -> None:
    with pytest.raises(UsageError, match="faces, and there are none"):
        catalogue.create(name, "smoke").sample(None, 2, _rng())
