"""A verdict on one picture or video, and what it rests on: `python examples/scan_image.py photo.jpg`."""

from __future__ import annotations

import argparse

import touchstone


def main() -> None:
    """Scan the file named on the command line and print the parts of its report."""
    parser = argparse.ArgumentParser(prog="scan_image.py", description=__doc__)
    parser.add_argument("path")
    report = touchstone.scan(parser.parse_args().path)
    if report.verdict is None or report.fake_probability is None or report.interval is None:
        assert report.reason is not None
        print(f"no verdict ({report.reason.code}): {report.reason.message}")
        return
    low, high = report.interval
    print(f"{report.verdict}: probability of forgery {report.fake_probability:.3f} ({low:.3f} to {high:.3f})")
    if report.threshold is not None:
        rate, n = report.threshold.false_alarm_rate, report.threshold.n
        print(f"genuine media called fake at this threshold: {rate:.1%} of {n}")
    for region in report.regions:
        print(f"{region.kind} at {region.box}: {region.fake_probability:.3f}")
    for part in report.segments:
        print(f"{part.start:.1f} s to {part.end:.1f} s reads as forged: {part.fake_probability:.3f}")
    if report.reason is not None:
        print(f"{report.reason.code}: {report.reason.message}")


if __name__ == "__main__":
    main()
