import numpy as np
import pytest
from scipy.stats import ttest_ind

from analysis.case_difference import compare_cases
from analysis.sites import build_sites, find_surface
from analysis.surface_approach import SurfaceApproach, compute_surface_approach
from analysis.surface_contrast import compute_surface_contrast
from structures.errors import InputError
from tests.analysis.electrolyte import build_system, draw_frames

FEW = {"n_anions": 20, "n_cations": 5}


def test_interval_is_welchs_and_a_doubt_keeps_it_unresolved() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.42, 0.05, 6), rng.normal(0.13, 0.02, 5)
    found = compare_cases(first, second=second, unit="1")
    interval = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert found.difference.low == pytest.approx(interval.low, rel=1e-9)
    assert found.difference.high == pytest.approx(interval.high, rel=1e-9)
    assert found.resolved
    assert found.advice == ""
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(np.exp(np.log(first).mean() - np.log(second).mean()), rel=1e-9)
    doubted = compare_cases(first, second=second, unit="1", doubts=["it drifts"])
    assert not doubted.resolved
    assert doubted.advice == "Not resolved: it drifts."
    assert compare_cases([0.0, 0.1], second=[0.1, 0.2], unit="1").ratio is None
    swapped = compare_cases(second, second=first, unit="1")
    assert swapped.difference.value == pytest.approx(-found.difference.value, rel=1e-12)


def build_replicas(*, density: float, n_replicas: int, seed: int) -> list[SurfaceApproach]:
    """Gas of anions, a share of which is put so that its N is 2.5 Å above a surface atom."""
    found = []
    for number in range(n_replicas):
        rng = np.random.default_rng(seed + number)
        frames = draw_frames(n_frames=4, seed=seed + 100 * number, **FEW)
        for frame in frames:
            held = np.flatnonzero(rng.uniform(size=20) < density)
            for anion, atom in zip(held, rng.choice(np.arange(25, 50), held.size, replace=False), strict=True):
                rows = slice(50 + 7 * anion, 57 + 7 * anion)
                frame[rows] += frame[atom] + [0, 0, 2.5] - frame[50 + 7 * anion]
        universe = build_system(frames, **FEW)
        surface = find_surface(universe, electrode=np.arange(50))
        found.append(
            compute_surface_approach(universe, surface=surface, sites=build_sites(universe, species="TFSI-"), r_max_A=8)
        )
    return found


def test_more_anions_at_the_surface_are_found_in_one_sentence() -> None:
    many, few = (build_replicas(density=share, n_replicas=5, seed=seed) for share, seed in ((0.6, 1), (0.1, 2)))
    names = ("with the layer", "without")
    found = compute_surface_contrast(many, second=few, label="TFSI- N", names=names, cutoff_A=3.0)
    # 0.6 and 0.1 of 20 anions at 50 atoms of both faces; of the others so many as lie in half a ball by chance, and in
    # the cap of it 2 Å away behind the electrode.
    chance = 20 / (26 * 25 * 38) * np.pi * (2 / 3 * 27 + 8 / 3)
    for share, case in ((0.6, found.sites.first), (0.1, found.sites.second)):
        assert case.value == pytest.approx(share * 20 / 50 + (1 - share) * chance, abs=0.03)
    assert found.sites.resolved
    assert found.molecules.first.value > found.sites.first.value
    assert found.sentence.startswith("TFSI- N about a surface Li, within 3.00 Å: 0.")
    assert "(5 replicas and 5 replicas)" in found.sentence
    assert found.to_json()["resolved"] is True
    one = compute_surface_contrast(many[:1], second=few[:1], label="TFSI- N", names=names, cutoff_A=3.0)
    assert not one.sites.resolved
    assert "Run at least 5 replicas of each case" in one.sentence
    with pytest.raises(InputError, match="site TFSI- F was not measured, only TFSI- N, TFSI- S, TFSI- O"):
        compute_surface_contrast(many, second=few, label="TFSI- F", names=names)
    with pytest.raises(InputError, match="0 replicas with the layer and 5 without"):
        compute_surface_contrast([], second=few, label="TFSI- N", names=names)
