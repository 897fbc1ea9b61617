"""What a recipe writes is read into chains; a manifest gives the same chain back."""

import json
import tomllib

import pytest

from detector.corrupt import Step, apply
from detector.presets import PRESETS
from detector.robustness import GRID
from evidence.errors import UsageError
from tests.detector.pictures import photograph
from testsets.perturbations import drawn, parse, record, written


def test_text_is_read_step_by_step() -> None:
    assert parse("jpeg:quality=75,sampling=4:2:0 | resize:factor=0.5,kernel=area,back=true | grey") == (
        Step("jpeg", {"quality": 75, "sampling": "4:2:0"}),
        Step("resize", {"factor": 0.5, "kernel": "area", "back": True}),
        Step("grey"),
    )
    assert parse("") == parse([]) == ()


def test_spans_choices_and_presets_can_be_written() -> None:
    assert parse("messenger | noise:sigma=1..4 | rotate:degrees=-5..5") == (
        *PRESETS["messenger"],
        Step("noise", {"sigma": [1, 4]}),
        Step("rotate", {"degrees": [-5, 5]}),
    )
    assert parse("resize:factor=.5,kernel=area/bicubic") == (
        Step("resize", {"factor": 0.5, "kernel": ["area", "bicubic"]}),
    )


def test_tables_of_a_recipe_and_of_a_manifest_say_the_same() -> None:
    recipe = tomllib.loads("""
        chain = ["web", {name = "jpeg", quality = [60, 95]}, {name = "caption"}]
    """)

    chain = parse(recipe["chain"])

    assert chain == parse("web | jpeg:quality=60..95 | caption")
    assert parse(json.loads(json.dumps(record(chain)))) == chain
    assert parse(written(chain)) == chain


def test_a_recorded_chain_does_the_same_again() -> None:
    chain = drawn(parse("chain-5 | jpeg:quality=50..90 | sticker:share=0.05..0.2 | noise:sigma=1..3"), 11)

    again = parse(json.loads(json.dumps(record(chain))))

    assert again == chain == drawn(again, 99)
    assert apply(photograph(0), chain).tobytes() == apply(photograph(0), again).tobytes()


@pytest.mark.parametrize("name", sorted(GRID))
def test_every_cell_of_the_grid_can_be_recorded(name: str) -> None:
    assert parse(json.loads(json.dumps(record(GRID[name])))) == GRID[name]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("jpg:quality=75", "There is no perturbation 'jpg'; 'jpeg' is near"),
        ("mesenger", "'messenger' is near"),
        ("jpeg:quality", "written name=value"),
        ("jpeg:quality=", "written name=value"),
        ("jpeg:quality=75,quality=80", "says quality twice"),
        ("jpeg:quality=75 || grey", "There is no perturbation ''"),
        ("jpeg:quality=0", "a whole number from 1 to 100"),
        ("jpeg:quality=90..60", "the smaller first"),
        ("web:quality=75", "takes no settings"),
        ({"quality": 75}, "has no name"),
        ({"name": "web", "side": 3}, "takes no settings"),
        ({"name": "jpeg", "settings": 3}, "Give a table"),
        (7, "Give a text, a table"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_is_allowed(given: object, told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("'", ".")):
        parse(given)  # type: ignore[arg-type]
