"""A run of `tfsi-adsorption`, and the energy of one of its species as a calculation."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from structures.species import Species
from workflows.calculators.electronic import keep_telling_settings
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.flow_run import FlowRun
from workflows.jobs.calculation import Calculation


class AdsorptionRun(FlowRun[TfsiAdsorptionConfig]):
    """A run of the flow `tfsi-adsorption`."""

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the calculator."""
        return dict(self.calculator.overrides)


def build_calculation(
    run: AdsorptionRun,
    one: Species,
    *,
    label: str,
    changes: Mapping[str, Any],
    **settings: Any,  # noqa: ANN401 (settings of the recipe)
) -> Calculation:
    """The energy of one species as a calculation, some settings of the calculator changed."""
    spec = replace(run.calculator, overrides=keep_telling_settings(run.settings | dict(changes)))
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
