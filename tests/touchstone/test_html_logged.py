"""A logged report in a page and on paper: from the page its proof can be read back."""

from __future__ import annotations

import json
from pathlib import Path

from evidence.verdict import Report
from provenance.transparency.canonical import canonical
from provenance.transparency.entries import scanned
from provenance.transparency.merkle import leaf_hash
from provenance.transparency.notes import Head, SecretKey
from provenance.transparency.proofs import Proof, check, document, with_proof
from provenance.transparency.reading import documents_in
from touchstone.report.article import article
from touchstone.report.html import HtmlWriter
from touchstone.report.item import ReportItem
from touchstone.report.printed import pdf_of
from worker.decide import MEDIA_KEYS


def test_a_page_carries_report_and_proof_whatever_the_file_is_called_and_paper_only_the_place(
    tmp_path: Path,
) -> None:
    media = dict.fromkeys(MEDIA_KEYS) | {"path": "</script><b>&amp;.jpg", "sha256": "ab" * 32}
    plain = Report("1", media, "ok", verdict="fake", fake_probability=0.9).to_dict()
    entry, key = canonical(scanned(plain, 0.0)), SecretKey.make()
    head = key.sign(Head(key.name, 1, leaf_hash(entry)).text())
    said = json.loads(json.dumps(with_proof(plain, document(entry, Proof(0, [], head)))))
    item = ReportItem(Report.from_dict(said))
    page = tmp_path / "report.html"

    with HtmlWriter(page) as writer:
        writer.add(item)

    (found,) = documents_in(page)
    assert found == said
    assert check(found, key.public).index == 0
    assert page.read_text().count("<script") == 2  # the page's own, and the data
    assert ("Entry", "0 of 1, of 1970-01-01T00:00:00Z") in article(item.report)["logged"]
    assert pdf_of(item).startswith(b"%PDF-")
