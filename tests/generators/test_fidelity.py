"""Our scores against torch-fidelity's, on the same features and through the same Inception network.

The network's trained weights cannot be shipped, so random ones stand in: agreement does not need them to be
good, and the code that runs is that of the real file.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch_fidelity
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from evidence.errors import ModelNotFound, ModelTampered
from generators.metrics import inception
from generators.metrics.command import measure
from generators.metrics.fid import fid
from generators.metrics.inception_score import inception_score
from generators.metrics.kid import kid
from generators.metrics.pictures import open_pictures
from generators.metrics.precision_recall import precision_recall

RNG = np.random.default_rng(0)
REAL = RNG.normal(0, 1, (400, 32))
FAKE = RNG.normal(0.3, 1.3, (300, 32))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file of the network's shape with random values, made without loading one."""
    net = FeatureExtractorInceptionV3.__new__(FeatureExtractorInceptionV3)
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        # The constructor insists on loading: hand it the module's own fresh values.
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_, **__: None)
        FeatureExtractorInceptionV3.__init__(net, "random", ["2048"], feature_extractor_weights_path="none")
    torch.save(net.state_dict(), path)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name, spread in (("real", 40), ("fake", 70)):
        (tmp_path / name).mkdir()
        for index in range(24):
            rng = np.random.default_rng((index, spread))
            coarse = rng.normal(128, spread, (8, 8, 3)).clip(0, 255).astype(np.uint8)
            cv2.imwrite(
                str(tmp_path / name / f"{index:03d}.png"),
                cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC),
            )
    return tmp_path / "real", tmp_path / "fake"


def test_fid_on_the_same_features_is_torch_fidelitys() -> None:
    sides = [fid_features_to_statistics(torch.from_numpy(side)) for side in (FAKE, REAL)]
    theirs = fid_statistics_to_metric(*sides, verbose=False)
    assert fid(REAL, FAKE) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


def test_kid_on_the_same_features_is_torch_fidelitys() -> None:
    # A subset of all pictures leaves nothing to chance.
    theirs = kid_features_to_metric(
        torch.from_numpy(FAKE[:300]),
        torch.from_numpy(REAL[:300]),
        kid_subsets=2,
        kid_subset_size=300,
        verbose=False,
    )
    found = kid(REAL[:300], FAKE[:300], subsets=2, size=300)
    assert found.mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)


def test_the_inception_score_of_the_same_logits_is_torch_fidelitys() -> None:
    logits = torch.from_numpy(RNG.normal(0, 3, (500, 20)))
    theirs = isc_features_to_metric(logits, splits=10, shuffle=False)
    mean, deviation = inception_score(logits.softmax(dim=1).numpy(), splits=10)
    assert mean == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert deviation == pytest.approx(theirs["inception_score_std"], rel=1e-4)


def test_precision_and_recall_of_the_same_features_are_torch_fidelitys() -> None:
    theirs = prc_features_to_metric(
        torch.from_numpy(FAKE), torch.from_numpy(REAL), prc_neighborhood=3, prc_batch_size=100, verbose=False
    )
    found = precision_recall(REAL, FAKE, k=3)
    assert found.precision == pytest.approx(theirs["precision"], abs=1e-6)
    assert found.recall == pytest.approx(theirs["recall"], abs=1e-6)


@pytest.mark.slow
def test_two_folders_score_as_torch_fidelity_scores_them(
    folders: tuple[Path, Path], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inception, "SHA256", sha256(weights.read_bytes()).hexdigest())
    reals, fakes = (open_pictures(str(folder)) for folder in folders)
    ours = measure(reals, fakes, inception=str(weights)).scores
    theirs = torch_fidelity.calculate_metrics(
        input1=str(folders[1]),
        input2=str(folders[0]),
        isc=True,
        kid=True,
        kid_subset_size=24,
        kid_subsets=2,
        cuda=False,
        verbose=False,
        batch_size=8,
        feature_extractor_weights_path=str(weights),
        cache=False,
        save_cpu_ram=True,  # no loader processes
    )
    assert ours["IS"] == pytest.approx(theirs["inception_score_mean"], rel=1e-3)
    assert ours["KID"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3, abs=1e-9)


def test_without_weights_the_message_says_where_they_were_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(ModelNotFound, match=str(tmp_path)) as caught:
        inception.find_weights()
    assert "--extractor random" in str(caught.value)


def test_another_file_under_the_weights_name_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / inception.FILE
    path.write_bytes(b"not the weights")
    with pytest.raises(ModelTampered, match=inception.SHA256):
        inception.find_weights(str(path))


def test_the_sum_is_whole_and_begins_as_the_name_of_the_file_ends() -> None:
    assert len(inception.SHA256) == 64
    assert inception.FILE.removesuffix(".pth").endswith(inception.SHA256[:8])


def test_weights_may_come_from_an_address_and_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "elsewhere.pth"
    source.write_bytes(b"weights")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    with pytest.raises(ModelTampered):
        inception.find_weights(source.as_uri())
    monkeypatch.setattr(inception, "SHA256", sha256(b"weights").hexdigest())
    assert inception.find_weights(source.as_uri()).read_bytes() == b"weights"
