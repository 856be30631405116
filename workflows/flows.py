"""The flows by name. Their modules are imported when one is used, so that looking at a list of them takes no time."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from structures.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from workflows.configuration.resolve import ResolvedConfig


@dataclass(frozen=True)
class FlowEntry:
    """A flow that the command line offers.

    Attributes:
        name: as typed.
        description: one line for help and lists.
        module: module with `plan(config, cores=…) -> Plan`, the Prefect flow `flow(config=…, workdir=…, store=…,
            cores=…, salt=…)` and, if there is one, `analyse(config, workdir=…, store=…)`; the last two take the
            configuration as plain data.
        config_module: module with the configuration model, its PRESETS and PRESET_NOTES; it must not import Prefect.
        config_class: name of the model in it.
        presets: names of the presets, for help without imports.
        default_preset: name of the preset that sets nothing.
    """

    name: str
    description: str
    module: str
    config_module: str
    config_class: str
    presets: tuple[str, ...]
    default_preset: str

    def load(self) -> ModuleType:
        """The flow's module; imports Prefect."""
        from workflows.prefect_settings import set_prefect_environment

        set_prefect_environment()
        return importlib.import_module(self.module)

    def config_model(self) -> "type[BaseModel]":
        """The configuration model."""
        model: type[BaseModel] = getattr(importlib.import_module(self.config_module), self.config_class)
        return model

    def preset_values(self) -> Mapping[str, Mapping[str, Any]]:
        """Preset → what it sets."""
        presets: Mapping[str, Mapping[str, Any]] = importlib.import_module(self.config_module).PRESETS
        return presets

    def preset_notes(self) -> Mapping[str, str]:
        """Preset → what it is for."""
        notes: Mapping[str, str] = importlib.import_module(self.config_module).PRESET_NOTES
        return notes

    def resolve(
        self,
        path: Path | None = None,
        *,
        preset: str | None = None,
        sets: Sequence[str] = (),
        swept: Mapping[str, tuple[Any, str]] | None = None,
    ) -> "ResolvedConfig[BaseModel]":
        """The checked configuration, see `workflows.configuration.resolve`."""
        from workflows.configuration.resolve import resolve

        return resolve(
            self.config_model(), presets=self.preset_values(), path=path, preset=preset, sets=sets, swept=swept
        )


FLOWS: dict[str, FlowEntry] = {
    entry.name: entry
    for entry in (
        FlowEntry(
            name="potassium-diffusion",
            description="how far potassium goes into an alloy with a dislocation and without one",
            module="workflows.potassium_diffusion",
            config_module="workflows.configuration.potassium_diffusion",
            config_class="PotassiumDiffusionConfig",
            presets=("demo", "fast", "standard", "paper-002"),
            default_preset="standard",
        ),
        FlowEntry(
            name="tfsi-adsorption",
            description="energies of ions, pairs and molecules binding to each other, from electronic structure",
            module="workflows.tfsi_adsorption",
            config_module="workflows.configuration.tfsi_adsorption",
            config_class="TfsiAdsorptionConfig",
            presets=("demo", "fast", "standard", "zhen-2025", "wu-2025"),
            default_preset="standard",
        ),
        FlowEntry(
            name="electrolyte-interface",
            description="how near ions come to an electrode and how many coordinate it, bare and under a layer",
            module="workflows.electrolyte_interface",
            config_module="workflows.configuration.electrolyte_interface",
            config_class="ElectrolyteInterfaceConfig",
            presets=("demo", "standard", "zhen-2025"),
            default_preset="standard",
        ),
        FlowEntry(
            name="potential-distillation",
            description="a fast potential fitted to a teacher (CHGNet), with a card of its errors",
            module="workflows.potential_distillation",
            config_module="workflows.configuration.potential_distillation",
            config_class="PotentialDistillationConfig",
            presets=("demo", "shipped"),
            default_preset="shipped",
        ),
    )
}


def find_flow(name: str) -> FlowEntry:
    """The flow of a name.

    Raises:
        InputError: if there is none; names the nearest.
    """
    if name in FLOWS:
        return FLOWS[name]
    import difflib

    near = difflib.get_close_matches(name, FLOWS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise InputError(f"{name} is not a flow, needs one of {', '.join(FLOWS)}.{hint}")
