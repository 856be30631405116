"""A run of `tfsi-adsorption`, and the energy of one of its species as a calculation."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from structures.species import Species
from workflows.calculators.electronic import build_electronic_spec
from workflows.calculators.telling_settings import keep_telling_settings
from workflows.configuration.tfsi_adsorption import ElectronicCalculatorSection, TfsiAdsorptionConfig
from workflows.engines.electronic_process import share_cores
from workflows.flow_run import FlowRun
from workflows.jobs.calculation import Calculation


class AdsorptionRun(FlowRun[TfsiAdsorptionConfig]):
    """A run of the flow `tfsi-adsorption`."""

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the calculator."""
        return dict(self.calculator.overrides)

    @property
    def layout(self) -> dict[str, Any]:
        """As of every run; a code without ranks takes threads in their place."""
        layout = super().layout
        return layout | share_cores(self.calculator.name, ranks=layout["ranks"], threads=layout["threads"])

    def take(self, section: ElectronicCalculatorSection | None) -> "AdsorptionRun":
        """The run with another calculator, or as it is."""
        if section is None:
            return self
        return replace(
            self,
            config=self.config.model_copy(update={"calculator": section}),  # type: ignore[arg-type]  # a generic base
            calculator=build_electronic_spec(section.name, protocol=section.protocol, overrides=section.overrides),
        )

    def while_atoms_move(self) -> "AdsorptionRun":
        """The run with the calculator that geometries are found by."""
        return self.take(self.config.geometry.calculator)


def build_calculation(
    run: AdsorptionRun,
    one: Species,
    *,
    label: str,
    changes: Mapping[str, Any],
    **settings: Any,  # noqa: ANN401 (settings of the recipe)
) -> Calculation:
    """The energy of one species as a calculation, some settings of the calculator changed."""
    spec = replace(run.calculator, overrides=keep_telling_settings(run.settings | dict(changes), atoms=one.atoms))
    return Calculation(
        "electronic_energy",
        structure=one.atoms,
        calculator=spec,
        settings=settings,
        charge=one.charge,
        multiplicity=one.multiplicity,
        label=label,
        **run.layout,
    )
