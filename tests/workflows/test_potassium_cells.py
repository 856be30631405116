"""What the flow `potassium-diffusion` builds, and what it refuses to build of a user's own files."""

import re
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write

from structures.alloy import ALLOYS, build_alloy, build_rotated_alloy
from structures.errors import InputError
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.potassium_cells import build_cells
from workflows.potassium_plan import SPEED, check_analysis, plan


def configure(**structure: object) -> PotassiumDiffusionConfig:
    own = {"cases": ["control"], "metal_thickness_A": 8.0} | structure
    return PotassiumDiffusionConfig.model_validate({"structure": own}, strict=False)


def test_potassium_in_the_users_alloy_is_refused_as_it_would_count_as_gone_in(tmp_path: Path) -> None:
    alloy = build_rotated_alloy(ALLOYS["M-BiSnSb"], repeats=(6, 3, 2), seed=0)
    write(tmp_path / "clean.extxyz", alloy)
    (cell,) = build_cells(configure(alloy_file=str(tmp_path / "clean.extxyz"))).values()
    assert (cell.atoms.arrays["region"][cell.atoms.symbols == "K"] == "potassium").all()
    alloy.symbols[[3, 50]] = "K"
    write(tmp_path / "potassiated.extxyz", alloy)
    with pytest.raises(InputError, match=r"potassiated\.extxyz, which holds 2 K atoms, needs 0: .* Take them out"):
        build_cells(configure(alloy_file=str(tmp_path / "potassiated.extxyz")))


def test_a_metal_without_potassium_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "na.extxyz", bulk("Na", cubic=True))
    with pytest.raises(InputError, match=r"which holds Na2, needs K: .* Give the conventional cell of potassium"):
        build_cells(configure(repeats=(6, 3, 1), potassium_file=str(tmp_path / "na.extxyz")))


def test_too_wide_a_distribution_is_refused_with_the_heights_of_a_slanted_cell(tmp_path: Path) -> None:
    alloy = build_alloy(ALLOYS["Bi"], repeats=(6, 6, 2))
    write(tmp_path / "hexagonal.extxyz", alloy)
    config = configure(alloy_file=str(tmp_path / "hexagonal.extxyz"), max_strain=0.2, anchor_thickness_A=0.0)
    wide = config.model_copy(update={"analysis": config.analysis.model_copy(update={"rdf_max_A": 30.0})})
    height_A = 6 * ALLOYS["Bi"].a_A * 3**0.5 / 2
    with pytest.raises(
        InputError, match=rf"the cell \({height_A:.1f} x {height_A:.1f} x \d+\.\d Å between its faces\)"
    ):
        check_analysis(wide, cells=build_cells(wide))


def test_a_plan_tells_the_strain_that_is_limited(tmp_path: Path) -> None:
    write(tmp_path / "bi.extxyz", build_alloy(ALLOYS["Bi"], repeats=(6, 6, 2)))
    config = configure(alloy_file=str(tmp_path / "bi.extxyz"), anchor_thickness_A=2.0)
    (cell,) = build_cells(config).values()
    with pytest.raises(InputError, match=r"would be strained by") as caught:
        build_cells(configure(alloy_file=str(tmp_path / "bi.extxyz"), max_strain=1e-4))
    (refused,) = re.findall(r"would be strained by (\S+) %", str(caught.value))
    assert max(map(abs, cell.strain_metal)) < cell.match.largest_strain - 1e-3  # of the components, none is the largest
    assert f"potassium strained by {refused} %" in plan(config, cores=1).system


def test_a_plan_counts_relaxations_and_the_scan_of_the_gap_beside_dynamics() -> None:
    asked, scanned = (plan(configure(repeats=[6, 3, 2], gap_A=gap_A), cores=1) for gap_A in (3.0, "scan"))
    hours_a_step = asked.n_atoms / SPEED["pod"] / 3600
    assert asked.core_hours == pytest.approx((asked.n_steps + 1500) * hours_a_step, rel=1e-12)
    assert scanned.core_hours - asked.core_hours == pytest.approx(11 * hours_a_step, rel=1e-9)
    assert "relaxations to their limit of 1500 steps included" in "".join(asked.lines())
