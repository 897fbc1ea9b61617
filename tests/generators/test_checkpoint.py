"""Checkpoints on a disk that takes no more, as the system itself says it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from evidence.errors import OutputError
from generators.training import checkpoint
from tests.full_disk import files_of_at_most


def test_a_disk_that_is_full_in_the_middle_of_a_file_is_named_and_the_older_checkpoint_kept(
    tmp_path: Path,
) -> None:
    large = {"model": torch.zeros(1_000_000)}
    with (
        files_of_at_most(1 << 20),
        pytest.raises(OutputError, match=r"written: File too large\. .* No checkpoint had been written"),
    ):
        checkpoint.save(tmp_path, large)
    assert list(tmp_path.iterdir()) == []

    checkpoint.save(tmp_path, {"model": torch.ones(3)})
    with (
        files_of_at_most(1 << 20),
        pytest.raises(OutputError, match=r"--resume\. .*checkpoint\.pt holds the last good state"),
    ):
        checkpoint.save(tmp_path, large)
    assert torch.equal(checkpoint.load(tmp_path)["model"], torch.ones(3))
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.CHECKPOINT]
