"""The card says what the record knows, and that the rest is not recorded."""

from detector.card import MISSING, write_card
from detector.thresholds import Bucket, Calibration


def test_a_card_tells_data_training_results_and_limits() -> None:
    bucket = Bucket("side 200-399, quality 85+", 1.0, 0.0, 0.91, 0.4, 0.009, 220, (0.0, 0.0, 0.0))
    calibration = Calibration(fake_at=0.95, n=640, measured_on="held-out photographs", buckets=(bucket,))

    card = write_card(
        {
            "name": "detector",
            "version": "1.0",
            "task": "Tell forged pictures from photographs.",
            "sha256": "ab" * 32,
            "data": [{"set": "photos", "pictures": 1000, "licence": "non-commercial"}],
            "training": {"command": "touchstone train detector", "seconds": 2400.0, "crops_seen": 600_000},
            "metrics": {"auc": 0.98123},
            "rows": [{"generator": "vq-x4", "auc": 0.94, "interval": (0.92, 0.96)}],
            "calibration": calibration.to_dict(),
            "limits": ["Measured on this suite's own generators."],
        }
    )

    for line in (
        "# detector 1.0",
        "| photos | 1000 | non-commercial |",
        "- crops seen: 600000",
        "- auc: 0.9812",
        "| vq-x4 | 0.94 | 0.92, 0.96 |",
        "Measured on held-out photographs.",
        "| side 200-399, quality 85+ | 0.91 | 0.4 | 0.009 | 220 | 1 | 0 |",
        "- Measured on this suite's own generators.",
    ):
        assert line in card.splitlines()


def test_what_is_not_recorded_is_said_to_be_so() -> None:
    card = write_card({"name": "someone else's"})

    assert card.count(MISSING) == card.count("## ") + 1
    assert "nan" not in card
