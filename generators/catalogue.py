"""Every GAN we have, one row each: where its file is, what it learns from, whose paper it follows.

Systems are imported when they are asked for, so that listing them costs nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_type_hints

import torch

from evidence.errors import UsageError
from generators.contract import AdversarialModel, Optimisation, Preset
from generators.options import require_sensible
from generators.sizes import ANY, Sides
from generators.training import checkpoint

Kind = Literal["digits", "objects", "faces", "photos", "captions", "pairs", "unpaired", "poses", "units"]


@dataclass(frozen=True)
class System:
    """A row of the catalogue; `kind` is the sort of data it is trained on (`generators/data/opening.py`)."""

    name: str
    module: str
    model: str
    kind: Kind
    paper: str
    sides: Sides = ANY

    def load(self) -> tuple[type[AdversarialModel], dict[str, Preset]]:
        """The model class and its presets."""
        module = importlib.import_module(self.module)
        return getattr(module, self.model), module.PRESETS


_POWERS = Sides(least=8, power=True)
# Residual generators start with one width and double with each further one.
_BLOCKS = Sides(doublings="generator_widths", undoubled=1)

CATALOGUE = {
    row.name: row
    for row in (
        System("vanilla", "generators.systems.vanilla", "Vanilla", "digits", "Goodfellow et al. 2014"),
        System("dcgan", "generators.systems.dcgan", "Dcgan", "faces", "Radford et al. 2015", _POWERS),
        System(
            "lsgan", "generators.systems.lsgan", "Lsgan", "faces", "Mao et al. 2017", Sides(least=16, step=16)
        ),
        System("wgan", "generators.systems.wgan", "Wgan", "faces", "Arjovsky et al. 2017", _POWERS),
        System(
            "wgan_gp", "generators.systems.wgan_gp", "WganGp", "objects", "Gulrajani et al. 2017", _BLOCKS
        ),
        System("sngan", "generators.systems.sngan", "Sngan", "objects", "Miyato et al. 2018", _BLOCKS),
        System("cgan", "generators.systems.cgan", "Cgan", "objects", "Miyato and Koyama 2018", _BLOCKS),
        System(
            "acgan",
            "generators.systems.acgan",
            "Acgan",
            "objects",
            "Odena et al. 2016",
            Sides(doublings="generator_widths"),
        ),
        System(
            "progressive",
            "generators.systems.progressive",
            "Progressive",
            "faces",
            "Karras et al. 2017",
            _POWERS,
        ),
        System(
            "stylegan2", "generators.systems.stylegan2", "StyleGan2", "faces", "Karras et al. 2020", _POWERS
        ),
        System("r3gan", "generators.systems.r3gan", "R3Gan", "faces", "Huang et al. 2024"),
        System(
            "reconstruction",
            "generators.systems.reconstruction",
            "ReconstructionGAN",
            "photos",
            "Zhang et al. 2019; Isola et al. 2016",
        ),
        System(
            "pix2pix",
            "generators.systems.pix2pix",
            "Pix2pix",
            "pairs",
            "Isola et al. 2016",
            Sides(least=16, power=True),
        ),
        System(
            "cyclegan",
            "generators.systems.cyclegan",
            "CycleGan",
            "unpaired",
            "Zhu et al. 2017",
            Sides(least=32, step=4),
        ),
        System(
            "context_encoder",
            "generators.systems.context_encoder",
            "ContextEncoder",
            "faces",
            "Pathak et al. 2016",
        ),
        System("inpainting", "generators.systems.inpainting", "Inpainting", "photos", "Yu et al. 2019"),
        System(
            "outpainting", "generators.systems.outpainting", "Outpainting", "photos", "Teterwak et al. 2019"
        ),
        System(
            "tac_gan",
            "generators.systems.tac_gan",
            "TacGan",
            "captions",
            "Dash et al. 2017",
            Sides(least=16, doublings="halvings"),
        ),
        System(
            "attngan",
            "generators.systems.attngan",
            "AttnGan",
            "captions",
            "Xu et al. 2017",
            Sides(least=32, power=True),
        ),
        System(
            "dr_gan",
            "generators.systems.dr_gan",
            "DrGan",
            "poses",
            "Tran et al. 2017",
            Sides(least=16, step=16),
        ),
        System(
            "tp_gan",
            "generators.systems.tp_gan",
            "TpGan",
            "poses",
            "Huang et al. 2017",
            Sides(least=32, step=32),
        ),
        System(
            "ganimation",
            "generators.systems.ganimation",
            "Ganimation",
            "units",
            "Pumarola et al. 2018",
            Sides(least=16, step=4),
        ),
    )
}


def system(name: str) -> System:
    """The row called `name`, or the class at `FILE.py:CLASS`; raises UsageError with the known names.

    `wgan-gp` is `wgan_gp`.
    """
    if ".py:" in name:
        return _system_of_file(name)
    name = name.replace("-", "_")
    if name not in CATALOGUE:
        raise UsageError(
            f"There is no system {name!r}.",
            f"Known systems: {', '.join(CATALOGUE)}; your own is FILE.py:CLASS.",
        )
    return CATALOGUE[name]


def preset(name: str, preset: str, **overrides: Any) -> Preset:
    """The preset of system `name` with fields of its config or optimisation replaced."""
    presets = system(name).load()[1]
    if preset not in presets:
        raise UsageError(f"{name} has no preset {preset!r}.", f"Its presets: {', '.join(presets)}.")
    chosen = presets[preset]
    own = {name: value for name, value in overrides.items() if hasattr(chosen.config, name)}
    general = {name: value for name, value in overrides.items() if name not in own}
    for field in general:
        if not hasattr(chosen.optimisation, field):
            raise UsageError(
                f"{name} has no option {field!r}.", f"Its options: {', '.join(options(chosen))}."
            )
    require_sensible(chosen.config, own)
    require_sensible(chosen.optimisation, general)
    return replace(
        chosen, config=replace(chosen.config, **own), optimisation=replace(chosen.optimisation, **general)
    )


def options(chosen: Preset) -> dict[str, Any]:
    """Every field of a preset's config and optimisation with its value, as `--set` takes them."""
    parts = (chosen.config, chosen.optimisation)
    return {field.name: getattr(part, field.name) for part in parts for field in fields(part)}


def create(name: str, preset_name: str = "shipped", *, seed: int = 0, **overrides: Any) -> AdversarialModel:
    """A fresh model of system `name`; its first weights follow `seed`."""
    chosen = preset(name, preset_name, **overrides)
    return build(name, chosen.config, chosen.optimisation, seed=seed)


def build(name: str, config: Any, optimisation: Optimisation, *, seed: int = 0) -> AdversarialModel:
    """A fresh model with this config; its first weights follow `seed`."""
    row = system(name)
    row.sides.check(row.name, config)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = row.load()[0](config, optimisation)
    model.origin = name if ".py:" in name else model.name
    return model


def restore(folder: Path, *, trusted: str = "") -> AdversarialModel:
    """The model of a run folder, in eval mode, its generator holding the moving average's weights.

    Of a run of one's own system the FILE.py is code that would run here: it does only where `trusted`
    names the same FILE.py:CLASS.
    """
    settled = checkpoint.read_settled(folder)
    name = settled["system"]
    if ".py:" in name and not _same_source(name, trusted):
        raise UsageError(
            f"The run in {folder} is of {name}, and loading it runs that file.",
            f"Read the file; if you trust it, add --trust {name}.",
        )
    state = checkpoint.load(folder)
    checkpoint.require_system(folder, state, name)
    defaults = next(iter(system(name).load()[1].values()))
    with checkpoint.fitting(folder):
        config = _typed(type(defaults.config), settled["config"])
        model = build(name, config, _typed(Optimisation, settled["optimisation"]))
        model.load_state_dict(state["model"])
        model.generator.load_state_dict(state["ema"])
        model.images_seen = state["images_seen"]
    return model.eval()


def _same_source(name: str, other: str) -> bool:
    """Whether both FILE.py:CLASS name one class of one file."""
    (path, _, kind), (trusted, _, wanted) = name.rpartition(":"), other.rpartition(":")
    return kind == wanted and Path(path).resolve() == Path(trusted).resolve()


def _system_of_file(name: str) -> System:
    path, _, wanted = name.rpartition(":")
    label = f"touchstone_own_{Path(path).stem}"
    found = importlib.util.spec_from_file_location(label, path)
    if found is None or found.loader is None or not Path(path).is_file():
        raise UsageError(f"There is no file {path} to take {wanted} from.", "Write FILE.py:CLASS.")
    module = importlib.util.module_from_spec(found)
    sys.modules[label] = module
    try:
        found.loader.exec_module(module)
        model = getattr(module, wanted)
        if not (issubclass(model, AdversarialModel) and isinstance(module.PRESETS, dict)):
            raise TypeError("the class is no AdversarialModel or PRESETS is no table")
        return System(model.name, label, wanted, model.kind, model.paper)
    except Exception as error:
        raise UsageError(
            f"{path} gives no system {wanted}: {type(error).__name__}: {error}.",
            "It needs PRESETS and a subclass of AdversarialModel with name, kind and paper; "
            "examples/own_gan.py is one.",
        ) from error


def _typed(kind: type[Any], values: dict[str, Any]) -> Any:
    # JSON knows no tuples: whatever is declared as one becomes one again.
    hints = get_type_hints(kind)
    return kind(**{k: tuple(v) if "tuple" in str(hints[k]) else v for k, v in values.items()})
