"""Encoders of captions and pictures: parity with packed LSTMs, closed forms, a judge that learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from evidence.errors import DataError
from generators.data.captions import Captioned, CaptionSet
from generators.losses.matching import GAMMA_WORDS, matching_loss, sentence_scores, word_scores
from generators.metrics.r_precision import groups_of, precision, r_precision_of, train_judge
from generators.networks.attention import WordAttention
from generators.text.encoder import CaptionEncoder


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _colours() -> CaptionSet:
    """Pictures of one of three colours, with the colour's name as their caption."""
    colours = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220)}
    noise = np.random.default_rng(0).integers(-25, 26, (45, 16, 16, 3))
    pictures = [
        Captioned((np.array(colours[name]) + noise[n]).astype(np.uint8), [f"all {name}"])
        for n, name in enumerate(list(colours) * 15)
    ]
    return CaptionSet(pictures)


def test_the_encoder_reads_as_a_packed_bidirectional_lstm_does() -> None:
    encoder = CaptionEncoder(20, embedding=6, size=8, dropout=0.0)
    whole = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    with torch.no_grad():
        for suffix, half in (("", encoder.onward), ("_reverse", encoder.reverse)):
            for name, weight in zip(names, half.weights, strict=True):
                getattr(whole, name + suffix).copy_(weight)
    tokens = torch.randint(1, 20, (3, 7), generator=_rng())
    tokens[1, 4:], tokens[2, 1:] = 0, 0
    caption = encoder(tokens)

    packed = pack_padded_sequence(
        encoder.embed(tokens), torch.tensor([7, 4, 1]), batch_first=True, enforce_sorted=False
    )
    states, (last, _) = whole(packed)
    words, _ = pad_packed_sequence(states, batch_first=True)
    assert torch.allclose(caption.words, words, atol=1e-6)
    assert torch.allclose(caption.sentence, torch.cat((last[0], last[1]), 1), atol=1e-6)
    assert caption.mask.sum(1).tolist() == [7, 4, 1]


def test_an_empty_caption_is_read_without_becoming_nan() -> None:
    caption = CaptionEncoder(5, embedding=4, size=4, dropout=0.0)(torch.zeros(2, 6, dtype=torch.int64))
    assert torch.isfinite(caption.sentence).all()
    seen = WordAttention(3, 4)(torch.randn(2, 3, 4, 4), caption.words, caption.mask)
    assert torch.isfinite(seen).all()


def test_no_place_sees_a_word_that_is_not_there_whatever_its_neighbours_in_the_batch() -> None:
    attention = WordAttention(3, 5)
    h, words = torch.randn(2, 3, 4, 4, generator=_rng()), torch.randn(2, 6, 5, generator=_rng(1))
    mask = torch.tensor([[True] * 2 + [False] * 4, [True] * 6])
    other = words.clone()
    other[0, 2:] = 100.0
    assert torch.equal(attention(h, words, mask), attention(h, other, mask))
    assert torch.allclose(attention(h, words, mask)[1:], attention(h[1:], words[1:], mask[1:]), atol=1e-6)


def test_a_caption_of_one_word_gives_that_word_everywhere() -> None:
    attention = WordAttention(3, 5)
    words = torch.randn(1, 4, 5, generator=_rng())
    seen = attention(torch.randn(1, 3, 2, 2), words, torch.tensor([[True, False, False, False]]))
    assert torch.allclose(seen[0], attention.project(words[0, 0])[:, None, None].expand(3, 2, 2), atol=1e-6)


def test_one_word_that_every_region_shows_scores_gamma_two() -> None:
    word = torch.tensor([[[1.0, 2.0, 2.0]]])  # (1, 1, 3)
    regions = word.transpose(1, 2).expand(1, 3, 4)  # the word itself in all four regions
    score = word_scores(regions, word, torch.ones(1, 1, dtype=torch.bool))
    assert score.item() == pytest.approx(GAMMA_WORDS)  # log exp(5 * cos 0)
    assert sentence_scores(word[:, 0], -word[:, 0]).item() == pytest.approx(-1.0)


def test_words_that_fill_a_caption_up_change_no_score() -> None:
    regions, words = torch.randn(3, 5, 4, generator=_rng()), torch.randn(3, 6, 5, generator=_rng(1))
    mask = torch.tensor([[True] * 4 + [False] * 2] * 3)
    assert torch.allclose(
        word_scores(regions, words, mask), word_scores(regions, words[:, :4], mask[:, :4]), atol=1e-5
    )


def test_alike_scores_cost_the_logarithm_of_the_captions_that_differ() -> None:
    same = torch.eye(4, dtype=torch.bool)
    assert matching_loss(torch.zeros(4, 4), same).item() == pytest.approx(2 * math.log(4))
    same[0, 1] = same[1, 0] = True
    # Two of four have three to choose from.
    expected = 2 * (2 * math.log(3) + 2 * math.log(4)) / 4
    assert matching_loss(torch.zeros(4, 4), same).item() == pytest.approx(expected)


def test_perfect_pictures_find_their_captions_and_pictures_all_alike_one_in_ten() -> None:
    sentences = torch.randn(400, 64, generator=_rng())
    # Nine in ten mean one of two things, as it is with faces.
    meanings = torch.arange(400).where(torch.arange(400) >= 360, torch.arange(400) % 2)[:, None].float()
    groups = groups_of(meanings, _rng(1))
    assert groups.shape == (100, 10)
    assert precision(sentences, sentences, groups) == 1.0
    same = torch.randn(1, 64, generator=_rng(2)).expand(400, 64)
    assert precision(same, sentences, groups) == pytest.approx(0.1, abs=1e-6)


def test_captions_of_a_group_differ_in_meaning_and_fewer_meanings_make_smaller_groups() -> None:
    meanings = torch.randint(2, (60, 4), generator=_rng()).float()
    for group in groups_of(meanings, _rng(1)):
        assert len(torch.unique(meanings[group], dim=0)) == 10
    assert groups_of(meanings[:, :1], _rng()).shape == (100, 2)
    with pytest.raises(DataError, match="mean the same"):
        groups_of(torch.zeros(5, 3), _rng())


def test_a_judge_learns_which_caption_a_picture_has() -> None:
    data = _colours()
    judge = train_judge(data, steps=60, batch=24)
    batch = data.draw(30, _rng())
    scores = sentence_scores(judge.pictures(batch.images)[1], judge.text(batch.extra["tokens"]).sentence)
    same = (batch.extra["tokens"][:, None] == batch.extra["tokens"][None]).all(2)
    best = scores.argmax(1)
    assert same[torch.arange(30), best].float().mean() > 0.9


def test_photographs_are_judged_beside_samples_and_other_sets_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = _colours()
    judge = train_judge(data, steps=60, batch=24)
    monkeypatch.setattr("generators.metrics.r_precision.judge_of", lambda *_: judge)
    found = r_precision_of(lambda batch: batch.images.roll(1, 0), data)
    assert found["r_precision_of_reals"] > 0.9
    assert found["r_precision"] < 0.6  # a third of the strangers have the colour by chance
    assert r_precision_of(lambda batch: batch.images, object()) == {}  # type: ignore[arg-type]
