"""What a run of `electrolyte-interface` refuses before anything starts, and how it is told apart from others."""

from typing import Any

import pytest
from pydantic import ValidationError

from structures.errors import InputError
from workflows.configuration.electrolyte_interface import PRESETS, AnalysisSection, ElectrolyteInterfaceConfig
from workflows.electrolyte_cells import build_cell
from workflows.electrolyte_plan import plan
from workflows.electrolyte_topology import build_topology, find_ions


def configure(**sections: dict[str, Any]) -> ElectrolyteInterfaceConfig:
    """The demo, with what is given over its sections."""
    values: dict[str, Any] = {**PRESETS["demo"]}
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return ElectrolyteInterfaceConfig.model_validate(values, strict=False)


def with_counts(counts: dict[str, int], **more: Any) -> ElectrolyteInterfaceConfig:  # noqa: ANN401
    structure = PRESETS["demo"]["structure"]
    electrolyte = {**structure["electrolyte"], "counts": counts, **more}
    return configure(structure={**structure, "cases": ["bare"], "electrolyte": electrolyte})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (with_counts({"Li+": 20, "TFSI-": 19}), r"\+1"),
        (with_counts({"Li+": 20, "TFSI": 20}), "needs an anion and a cation"),
        (with_counts({"Li+": 8, "TFSI-": 8}, density_g_per_cm3=1.6), r"force_field\.cutoff_A is 8, needs at most 6\.3"),
        (with_counts({"Li+": 20, "TFSI-": 20, "XYZ": 1}), "There is no ion or solvent 'XYZ'"),
        (
            with_counts({"Li+": 20, "TFSI-": 20}, species={"DME": {"smiles": "COCCOC"}}),
            "defines DME, which counts does not name",
        ),
        (with_counts({"Li+": 20, "TFSI-": 20, "EC": 1}), "EC"),
        (configure(force_field={"cutoff_A": 12.5}), r"force_field\.cutoff_A is 12\.5, needs at most 10\.3"),
        (
            configure(analysis={"coordination_cutoff_A": 20.0}),
            r"analysis\.coordination_cutoff_A is 20, needs more than",
        ),
        (configure(analysis={"rdf_max_A": 2.0}), r"analysis\.coordination_cutoff_A is 4, .* at most 2 Å"),
        (configure(analysis={"rdf_max_A": 12.0}), r"analysis\.rdf_max_A is 12, needs at most 10\.3"),
    ],
)
def test_what_cannot_be_done_is_refused_with_value_limit_and_fix(
    config: ElectrolyteInterfaceConfig, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan(config)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"dynamics": {"ensemble": "npt"}}, "'nvt' or 'nve'"),
        ({"dynamics": {"fixed_regions": ["electrode"]}}, "at least 2"),
        ({"dynamics": {"fixed_regions": ["electrode", "layr"]}}, "'electrode' or 'layer'"),
        ({"dynamics": {"anneal_temperature_K": 200.0}}, r"needs temperature_K at least \(298\)"),
        ({"dynamics": {"anneal_temperature_K": 5000.0}}, r"below limits\.temperature_K \(3000 K\)"),
        ({"structure": {"electrolyte": {"counts": {"my ether": 4}}}}, "should match pattern"),
        ({"structure": {"cases": ["bare", "bare"]}}, "needs each once"),
        ({"structure": {"electrolyte": {"species": {"X": {}}}}}, "needs smiles or file"),
    ],
)
def test_what_makes_no_sense_is_refused_as_it_is_read(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ElectrolyteInterfaceConfig.model_validate(section, strict=False)


def test_plans_of_equal_runs_share_their_pieces_and_longer_ones_do_too() -> None:
    first, longer = plan(configure()), plan(configure(dynamics={**PRESETS["demo"]["dynamics"], "production_ps": 8.0}))
    assert {piece.identity for piece in first.pieces} == {piece.identity for piece in longer.pieces}
    assert first.n_runs == 2
    assert longer.n_steps == first.n_steps + 2 * 4000
    assert any("glassy" in warning for warning in first.warnings)
    other = plan(configure(force_field={"cutoff_A": 8.0, "charge_scale": 0.8}))
    assert not {piece.identity for piece in first.pieces} & {piece.identity for piece in other.pieces}


def test_charges_are_scaled_for_ions_only_and_the_layer_may_have_none() -> None:
    config = configure(force_field={"cutoff_A": 8.0, "charge_scale": 0.8, "layer_charges": "zero"})
    atoms = build_cell(config, case="layer", seed=1).atoms
    topology = build_topology(config, atoms=atoms)
    assert not topology.charges_e[atoms.arrays["region"] != "electrolyte"].any()
    lithium = topology.charges_e[atoms.arrays["species"] == "Li+"]
    assert lithium == pytest.approx(0.8)
    charged = build_topology(configure(), atoms=atoms).charges_e[atoms.arrays["region"] == "layer"]
    assert abs(charged.sum()) < 1e-9
    assert charged.max() > 0.5  # iron


def test_the_anion_that_is_followed_is_the_most_frequent_or_the_one_asked_for() -> None:
    ions = find_ions(with_counts({"Li+": 20, "NO3-": 4, "TFSI-": 16}))
    assert (ions.anion, ions.binding, ions.cation, ions.label) == ("TFSI-", "O", "Li+", "TFSI- O")
    mixed = with_counts({"Li+": 20, "NO3-": 4, "TFSI-": 16})
    assert find_ions(mixed.model_copy(update={"analysis": AnalysisSection(anion="NO3-")})).label == "NO3- O"
    with pytest.raises(InputError, match="needs an anion and a cation"):
        find_ions(with_counts({"DME": 20}))
    with pytest.raises(InputError, match=r"analysis\.anion is FSI-, needs one of TFSI-, NO3-"):
        find_ions(mixed.model_copy(update={"analysis": AnalysisSection(anion="FSI-")}))
