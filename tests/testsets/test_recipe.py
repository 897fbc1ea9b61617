"""A recipe is understood whole, or refused with its file, its line, what was found and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from exports.registry import Registry
from tests.testsets.conftest import RECIPE, plan_of, recipe_of
from testsets.document import RecipeError
from testsets.recipe import Recipe, find, read, ready
from testsets.suite import makers_of

BEFORE = RECIPE.index("[[systems]]")


def test_a_recipe_says_who_forges_what_and_how_it_is_treated(recipe: Recipe) -> None:
    assert [system.name for system in recipe.systems][-1] == "splice"
    assert recipe.systems[0].partial == 0.5
    assert recipe.systems[-1].wish.area == (0.1, 0.2)
    assert [chain.name for chain in recipe.chains] == ["as-is", "jpeg", "screenshot"]
    assert recipe.chains[1].steps[0].settings["quality"] == 60


@pytest.mark.parametrize("name", ready())
def test_a_ready_recipe_is_one_that_the_installed_suite_can_make(name: str, models: Registry) -> None:
    recipe = find(name)
    assert recipe.about
    assert makers_of(recipe, models)


@pytest.mark.parametrize(
    ("line", "text", "said"),
    [
        (2, 'sytems = "all"', "'sytems' means nothing here"),
        (2, "seed = -1", "seed is -1"),
        (2, "fakes = true", "fakes is True"),
        (3, '[output]\nformat = "gif"', "format is 'gif'"),
        (3, '[output]\nlayouts = ["genimge"]', "no layout 'genimge'"),
        (3, "[splits]\ntest = 0.5", "add up to 0.5"),
        (3, '[output]\ndate = "today"', "date is 'today'"),
        (2, "[[chains]]\nsteps = 'jpg:quality=3'", "no perturbation 'jpg'"),
        (2, "[[chains]]\ntreatment = 'screenshoot'", "'screenshoot'"),
        (2, '[[sources]]\nfolder = "a"\ncrop = 64\nfit = 64', "contradict"),
        (2, '[[sources]]\nfolder = "a"\nshards = "photos"', "both named"),
        (3, '[[systems]]\nname = "dcgan-faces"\nyaw = [1]', "a list of 2 numbers"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(line: int, text: str, said: str) -> None:
    whole = f"fakes = 1\n{text}\n" if "fakes" not in text else f"\n{text}\n"
    with pytest.raises(RecipeError) as caught:
        recipe_of(whole)
    assert said in str(caught.value)
    assert "mine.toml, line" in str(caught.value)
    named = int(str(caught.value).split("line ")[1].split(":")[0])
    assert line <= named <= line + text.count("\n")


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ('name = "dcgan-face"', "dcgan-faces"),
        ('name = "touchstone-detector"', "is a detector"),
        ('name = "acgan-mnist"', "makes no colour pictures"),
        ('name = "dcgan-faces"\nclasses = ["7"]', "takes no classes"),
        ('name = "dr-gan-faces"\nyaw = [-400, 0]', "yaw -400"),
        ('name = "ganimation-faces"\nexpressions = ["smil"]', "smile"),
        ('name = "splice"\nyaw = [0, 1]', "takes no conditions"),
        ('name = "all"\nexpressions = ["smile"]', "takes no expressions"),
    ],
)
def test_a_system_is_asked_only_for_what_it_can_be_asked(system: str, said: str, models: Registry) -> None:
    with pytest.raises(RecipeError, match=r"mine\.toml, line") as caught:
        makers_of(recipe_of(f"{RECIPE[:BEFORE]}[[systems]]\n{system}\n"), models)
    assert said in str(caught.value)


def test_sources_too_small_are_told_with_the_line_of_the_count(reals: Path, models: Registry) -> None:
    text = RECIPE.replace("FOLDER", str(reals))
    with pytest.raises(RecipeError, match="line 1: 7 reals are asked for; the sources hold 6 pictures"):
        plan_of(f"count = 7\n{text}", models)
    assert len(plan_of(f"count = 7\nrepeats = 2\n{text}", models).orders) == 7


def test_text_that_is_no_toml_and_a_recipe_that_is_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no TOML"):
        recipe_of("fakes = [")
    with pytest.raises(RecipeError, match="cannot be read"):
        read(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="quick-look"):
        find("quick-lok")
