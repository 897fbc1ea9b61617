"""The network: pixels in, a logit and a map out, the same wherever a picture is cut."""

from pathlib import Path

import pytest
import torch

from detector.model import PRESETS, FakeDetector, load, save
from evidence.errors import ModelNotFound


def picture(height: int, width: int, *, count: int = 1) -> torch.Tensor:
    rng = torch.Generator().manual_seed(height * width)
    return torch.randint(0, 256, (count, height, width, 3), generator=rng, dtype=torch.uint8)


def lively(preset: str = "tiny") -> FakeDetector:
    """A network in evaluation mode whose heads, unlike fresh ones, answer with more than zero."""
    torch.manual_seed(0)
    model = FakeDetector(PRESETS[preset]).eval()
    torch.nn.init.normal_(model.heads.cell[0].weight)
    torch.nn.init.normal_(model.heads.picture[0].weight)
    return model


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 200), (248, 136)])
def test_any_size_from_64_px_gives_a_logit_and_a_cell_for_each_8_px(height: int, width: int) -> None:
    logits, cells = lively()(picture(height, width, count=2))

    assert logits.shape == (2,)
    assert cells.shape == (2, height // 8, width // 8)
    assert logits.dtype == cells.dtype == torch.float32


def test_inside_a_tile_the_map_is_that_of_the_whole_picture() -> None:
    model, pixels = lively(), picture(192, 192)

    with torch.no_grad():
        whole = model(pixels)[1]
        tile = model(pixels[:, 32:160, 32:160])[1]

    # 40 px, five cells, from the tile's edge nothing outside it is seen; sums may round otherwise.
    torch.testing.assert_close(tile[:, 5:-5, 5:-5], whole[:, 9:-9, 9:-9], atol=1e-4, rtol=1e-4)


def test_a_picture_in_a_batch_is_scored_as_it_is_alone() -> None:
    model, pixels = lively(), picture(64, 64, count=3)

    with torch.no_grad():
        together = model(pixels)[0]
        alone = torch.cat([model(pixels[i : i + 1])[0] for i in range(3)])

    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_brightness_alone_changes_nothing() -> None:
    model, pixels = lively(), picture(64, 64) // 2

    with torch.no_grad():
        torch.testing.assert_close(model(pixels)[0], model(pixels + 100)[0])


def test_the_default_network_stays_within_its_budget_of_operations() -> None:
    model = FakeDetector()
    operations = 0

    def count(module: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal operations
        operations += module.weight[0].numel() * output.numel()  # type: ignore[operator,index]

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        residuals = model.residuals(picture(256, 256))
        model.from_residuals(residuals)
    stem = model.stem.kernels.numel() * 126 * 126

    assert operations + stem <= 450e6


def test_a_saved_detector_comes_back_the_same(tmp_path: Path) -> None:
    model, pixels = lively(), picture(64, 64)
    save(model, tmp_path / "detector.pt")

    with torch.no_grad():
        assert torch.equal(load(tmp_path / "detector.pt")(pixels)[0], model(pixels)[0])


def test_a_missing_detector_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"none\.pt"):
        load(tmp_path / "none.pt")
