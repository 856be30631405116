"""Runs side by side: closed forms of agreement, and what cannot be compared."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.comparison import FLOW, METHOD_KEYS, Comparison, compare_results, write_comparison
from analysis.results import Results, build_json_value, write_results
from structures.errors import InputError

PAIR = "Li+ + TFSI- -> LiTFSI"
SPECIES = {
    "Li+ in LiTFSI": {"formula": "Li", "charge": 1, "multiplicity": 1},
    "TFSI- in LiTFSI": {"formula": "C2F6NO4S2", "charge": -1, "multiplicity": 1},
    "LiTFSI": {"formula": "LiC2F6NO4S2", "charge": 0, "multiplicity": 1},
}
GPAW = {"code": "gpaw", "version": "25.7.0", "functional": "PBE", "dispersion": "none", "mode": "fd"}
PYSCF = {"code": "pyscf", "version": "2.14.0", "functional": "PBE", "dispersion": "d3bj", "basis": "def2-tzvpd"}


def write_run(
    directory: Path,
    reactions: dict[str, tuple[float, float | None]],
    *,
    method: dict[str, Any] = GPAW,
    species: dict[str, dict[str, Any]] = SPECIES,
    flow: str = FLOW,
    electron: str = "vacuum",
) -> Path:
    found = {
        text: {"energy": {"value": value, "uncertainty": error, "unit": "eV"}}
        for text, (value, error) in reactions.items()
    }
    results = Results(
        flow=flow,
        status="completed",
        config={"electron": {"reference": electron}},
        system={"method": method},
        observables={"reactions": found, "species": species},
    )
    write_results(results, directory=directory)
    return directory


def compare(tmp_path: Path, *runs: dict[str, tuple[float, float | None]]) -> Comparison:
    return compare_results([write_run(tmp_path / f"run{number}", run) for number, run in enumerate(runs)])


def test_two_codes_side_by_side(tmp_path: Path) -> None:
    first = write_run(tmp_path / "gpaw", {PAIR: (-6.00, 0.02)})
    second = write_run(tmp_path / "pyscf", {PAIR: (-6.05, 0.04)}, method=PYSCF)
    third = write_run(tmp_path / "fast", {PAIR: (-6.40, 0.10)}, method={**GPAW, "mode": "lcao"})
    (reaction,) = compare_results([first, second, third]).reactions
    assert reaction.reaction == PAIR
    assert [energy.run for energy in reaction.energies] == [str(first), str(second), str(third)]
    assert [energy.difference_eV for energy in reaction.energies] == pytest.approx([0, -0.05, -0.40], abs=1e-12)
    assert [energy.allowed_eV for energy in reaction.energies] == pytest.approx([0.02, 0.06, 0.12])
    assert [energy.agrees for energy in reaction.energies] == [True, True, False]
    assert reaction.energies[0].method == GPAW
    assert reaction.energies[1].method == PYSCF


def test_the_basis_of_orbitals_is_part_of_the_method(tmp_path: Path) -> None:
    lcao = {**GPAW, "mode": "lcao", "resolution": {"grid_points": [8, 8, 8], "basis": "dzp"}}
    paths = [write_run(tmp_path / name, {PAIR: (-6.0, 0.1)}, method=lcao) for name in "ab"]
    assert compare_results(paths).reactions[0].energies[0].method == {**GPAW, "mode": "lcao", "basis": "dzp"}


@given(
    first=st.floats(-10, 10),
    shift=st.floats(-1, 1),
    errors=st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)),
)
def test_agreement_is_mutual(
    first: float, shift: float, errors: tuple[float, float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    runs = [
        write_run(folder / name, {PAIR: (value, error)})
        for name, value, error in (("a", first, errors[0]), ("b", first + shift, errors[1]))
    ]
    there = compare_results(runs).reactions[0].energies[1]
    back = compare_results(runs[::-1]).reactions[0].energies[1]
    assert there.agrees == back.agrees
    assert there.difference_eV == -back.difference_eV
    assert there.agrees == (abs((first + shift) - first) <= errors[0] + errors[1] + 1e-9)


def test_agreement_needs_both_errors(tmp_path: Path) -> None:
    energies = compare(tmp_path, {PAIR: (-6.0, 0.1)}, {PAIR: (-6.0, None)}, {PAIR: (-6.0, 0.0)}).reactions[0].energies
    assert [(energy.allowed_eV, energy.agrees) for energy in energies] == [(0.1, True), (None, None), (0.1, True)]
    first = compare(tmp_path / "turned", {PAIR: (-6.0, None)}, {PAIR: (-6.0, 0.1)}).reactions[0].energies
    assert [energy.agrees for energy in first] == [None, None]


def test_the_order_of_terms_does_not_matter(tmp_path: Path) -> None:
    (reaction,) = compare(tmp_path, {PAIR: (-6.0, 0.1)}, {"TFSI- + Li+ -> LiTFSI": (-6.1, 0.1)}).reactions
    assert (reaction.reaction, reaction.energies[1].energy_eV) == (PAIR, -6.1)


def test_the_reverse_is_another_reaction(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"have no reaction in common: .*run0 has Li\+ \+ TFSI- -> LiTFSI; .*run1 has"):
        compare(tmp_path, {PAIR: (-6.0, 0.1)}, {"LiTFSI -> Li+ + TFSI-": (6.0, 0.1)})


def test_reactions_that_a_run_lacks_are_named(tmp_path: Path) -> None:
    atoms = "Li + TFSI -> LiTFSI"
    found = compare(tmp_path, {PAIR: (-6.0, 0.1), atoms: (-5.0, 0.1)}, {PAIR: (-6.0, 0.1)}, {PAIR: (-6.0, 0.1)})
    assert [one.reaction for one in found.reactions] == [PAIR]
    assert found.left_out == (atoms,)


def test_a_species_of_one_name_is_one_species(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", {PAIR: (-6.0, 0.1)})
    other = {**SPECIES, "LiTFSI": {"formula": "F6C2NO4S2Li", "charge": 0, "multiplicity": 1}}
    compare_results([first, write_run(tmp_path / "b", {PAIR: (-6.0, 0.1)}, species=other)])  # the same atoms
    triplet = {**SPECIES, "LiTFSI": {**SPECIES["LiTFSI"], "multiplicity": 3}}
    with pytest.raises(InputError, match=r"LiTFSI is not the same in .*a and .*c"):
        compare_results([first, write_run(tmp_path / "c", {PAIR: (-6.0, 0.1)}, species=triplet)])


def test_the_reference_of_the_electron_is_part_of_the_method(tmp_path: Path) -> None:
    text = "TFSI + e- -> TFSI-"
    paths = [write_run(tmp_path / name, {text: (-5, 0.1)}, electron=name) for name in ("vacuum", "work-function")]
    methods = [energy.method for energy in compare_results(paths).reactions[0].energies]
    assert [method["electron"] for method in methods] == ["vacuum", "work-function"]


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {PAIR: (-6.0, 0.1)})
    with pytest.raises(InputError, match="there are 1 runs to compare, needs 2 or more"):
        compare_results([run])
    with pytest.raises(InputError, match="a is named twice"):
        compare_results([run, run])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty/results\.json does not exist"):
        compare_results([run, tmp_path / "empty"])
    other = write_run(tmp_path / "k", {}, flow="potassium-diffusion")
    with pytest.raises(InputError, match="k is a run of potassium-diffusion without reactions"):
        compare_results([run, other])


def test_the_table_and_the_json_say_the_same(tmp_path: Path) -> None:
    found = compare(tmp_path, {PAIR: (-6.0, 0.1)}, {PAIR: (-6.3, 0.1)})
    path = write_comparison(found, path=tmp_path / "table.csv")
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    document = json.loads(json.dumps(build_json_value(found.to_json())))
    energies = document["reactions"][PAIR]
    assert [row["agrees"] for row in rows] == ["True", "False"]
    for row, energy in zip(rows, energies, strict=True):
        for name in ("energy_eV", "uncertainty_eV", "difference_eV", "allowed_eV"):
            assert float(row[name]) == energy[name]
        assert {key: row[key] for key in METHOD_KEYS if row[key]} == energy["method"]
        assert (row["reaction"], row["run"]) == (PAIR, energy["run"])
    assert [energy["agrees"] for energy in energies] == [True, False]
