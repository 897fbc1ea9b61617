"""Files that were signed and changed since, forgeries beside their parents, and reports that are signed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.signable import make
from tests.command_line import Touchstone, rows_of, write_picture
from tests.conftest import MakePhoto
from tests.credentials import Authority, changed_png


def test_a_picture_edited_after_it_was_signed_and_one_made_from_another_are_shown_beside_what_they_were(
    touchstone: Touchstone, workshop: Touchstone, tmp_path: Path, make_photo: MakePhoto
) -> None:
    pixels = make_photo(240, 320, 1)
    cv2.imwrite(str(tmp_path / "photo.png"), pixels[:, :, ::-1])
    assert touchstone("sign", tmp_path / "photo.png", "--as", "generated").code == 0
    painted = np.array(pixels)
    painted[120:180, 80:160] = (255, 0, 0)
    edited = tmp_path / "edited.png"
    edited.write_bytes(changed_png((tmp_path / "photo.signed.png").read_bytes(), painted))
    where = "all of it between 25 and 50 % of its width and 50 and 75 % of its height"

    told = touchstone("verify", edited)
    touchstone("scan", edited, "--html", tmp_path / "edited.html", "--pdf", tmp_path / "edited.pdf")

    assert told.code == 5
    assert "Content Credentials that do not hold: assertion.dataHash.mismatch." in told.out
    assert "- assertion.dataHash.mismatch: The file is not as it was signed" in told.out
    assert where in told.out
    page = (tmp_path / "edited.html").read_text()
    assert "Changed after it was signed" in page
    assert where in page
    assert touchstone("verify", tmp_path / "photo.signed.png").out.count("Beside the picture") == 0

    filling = ("generate", "filler", "--input", tmp_path / "photo.png", "--box", "80,120,80,60")
    assert workshop(*filling, "--out", tmp_path / "made").code == 0
    (row,) = rows_of(tmp_path / "made")
    touchstone("scan", tmp_path / "made" / row["path"], "--html", tmp_path / "made.html")
    page = (tmp_path / "made.html").read_text()
    assert "Made from" in page
    assert "photo.png" in page
    assert where in page


def test_reports_of_a_scan_are_signed_and_verify_offline_with_their_proof(
    touchstone: Touchstone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = Authority()
    identity = authority.issue()
    (tmp_path / "root.pem").write_bytes(authority.pem)
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "photo.jpg").write_bytes(make("image/jpeg"))
    (tmp_path / "me.pem").write_bytes(identity.chain)
    (tmp_path / "me.key").write_bytes(identity.key)
    monkeypatch.setenv("TOUCHSTONE_SIGNING_CERT", str(tmp_path / "me.pem"))
    monkeypatch.setenv("TOUCHSTONE_SIGNING_KEY", str(tmp_path / "me.key"))
    fake = write_picture(tmp_path / "media" / "red.png", 6)
    page, paper, lines = (tmp_path / f"verdict.{kind}" for kind in ("html", "pdf", "jsonl"))
    asked = ("--html", page, "--jsonl", lines, "--log", "--sign")

    assert touchstone("scan", fake, *asked, "--pdf", paper).code == 0
    assert touchstone("scan", tmp_path / "media", "--pdf", tmp_path / "papers", "--sign").code == 0
    (tmp_path / "log.pub").write_text(touchstone("log", "key").out)
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path / "elsewhere"))  # as on another machine
    signed_papers = sorted(path.name for path in (tmp_path / "papers").iterdir())
    told = [touchstone("verify", path, "--trust", tmp_path / "root.pem") for path in (page, paper, lines)]
    proved = touchstone("log", "verify", page, lines, "--key", tmp_path / "log.pub")

    assert [ran.code for ran in told] == [0, 0, 0]
    for ran in told:
        assert "Content Credentials hold, signed by somebody on a trust list." in ran.out
        assert "1 scanned: 1 fake" in ran.out
    assert (proved.code, proved.out.count("Holds: entry 0 of 1")) == (0, 2)
    assert signed_papers == ["1-photo.jpg.pdf", "1-photo.jpg.pdf.c2pa", "2-red.png.pdf", "2-red.png.pdf.c2pa"]
    assert touchstone("verify", tmp_path / "papers" / "2-red.png.pdf").out.count("1 scanned: 1 fake") == 1
    page.write_text(page.read_text().replace("Scan report", "Scan Report"))
    broken = touchstone("verify", page, "--trust", tmp_path / "root.pem")
    assert broken.code == 5
    assert "assertion.dataHash.mismatch" in broken.out
    assert touchstone("scan", fake, "--sign", "--json").code == 2
