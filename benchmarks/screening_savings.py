"""Energies and forces that the ranking of poses saves, at what answer: by PySCF, on small molecules.

Each case is searched three times: all poses relaxed, the best two of a ranking in a small basis, the best two of those
that tight binding relaxed first. What is counted are evaluations of energy and forces by the full method; the relaxed
molecules by themselves are in no count.

    python -m benchmarks.screening_savings [--small]
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import Ratio, Record
from workflows.adsorption_calculation import AdsorptionRun
from workflows.adsorption_poses import PoseSearch, search_poses
from workflows.adsorption_species import build_all_species, list_pairs
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.tfsi_adsorption import open_run_facts, relax_parts

CASES: dict[str, dict[str, Any]] = {
    "Li+ on formamide": {"adsorbate": "Li+", "poses": {"orientations": 1}},
    "HF on formamide": {"adsorbate": "HF", "poses": {"orientations": 2, "most": 12}},
}
SPECIES = {"formamide": {"smiles": "NC=O"}, "HF": {"smiles": "F"}}
WAYS = {"none": 500, "small-basis": 2, "xtb": 2}
SAME_EV = 0.01


def search(case: str, *, screening: str, folder: Path) -> tuple[AdsorptionRun, PoseSearch]:
    """Search the poses of a case, with what is computed in a store of its own."""
    chosen = CASES[case]
    guest = str(chosen["adsorbate"])
    config = TfsiAdsorptionConfig.model_validate(
        {
            "adsorbate": guest,
            "substrate": "formamide",
            "species": {name: one for name, one in SPECIES.items() if name in (guest, "formamide")},
            "poses": {**chosen["poses"], "screening": screening, "keep": WAYS[screening]},
            "calculator": {"name": "pyscf", "protocol": "fast"},
        },
        strict=False,
    )
    place = folder / f"{guest}-{screening}"
    run = open_run_facts(config.model_dump(mode="json"), workdir=str(place), store=str(place / "store"))
    start = build_all_species(config)
    (name,) = list_pairs(config)
    return run, search_poses(run, species=relax_parts(run, species=start), start=start)[name]


def count_evaluations(run: AdsorptionRun) -> int:
    """Energies with forces by the full method, of all poses together."""
    keys = [key for label, key in run.keys.items() if label.startswith("relax ") and "@" in label]
    return sum(int(run.finished(key).values["n_steps"]) + 1 for key in keys)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="What the ranking of poses saves, at what answer.")
    parser.add_argument("--small", action="store_true", help="a trial: the ion alone, nothing kept")
    arguments = parser.parse_args()
    record = Record("screening_savings", settings={"calculator": "pyscf fast", "same_eV": SAME_EV})
    shares: dict[str, list[float]] = {"small-basis": [], "xtb": []}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        for case in list(CASES)[: 1 if arguments.small else None]:
            found = {way: search(case, screening=way, folder=Path(name)) for way in WAYS}
            counts = {way: count_evaluations(run) for way, (run, _) in found.items()}
            energies = {way: float(np.float64(of.best.energy_eV)) for way, (_, of) in found.items()}
            record.figures[f"poses_{case}"] = len(found["none"][1].poses)
            record.figures[f"evaluations_all_{case}"] = counts["none"]
            for way, of in shares.items():
                of.append(counts[way] / counts["none"])
                record.figures[f"evaluations_{way}_{case}"] = counts[way]
                record.figures[f"energy_{way}_less_all_eV_{case}"] = round(energies[way] - energies["none"], 4)
            print(case, counts, energies, flush=True)
    for way, of in shares.items():
        record.ratios[f"evaluations, {way} / all poses, mean"] = Ratio(float(np.mean(of)), "<= 1")
    record.publish(keep=not arguments.small)


if __name__ == "__main__":
    main()
