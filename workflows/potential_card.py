"""The card of a potential: what it was made from and how good it is, for programs (card.json) and people (card.md)."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase.formula import Formula

from analysis.results import write_text_atomically
from structures.errors import InputError
from workflows.calculators.pod import FILES_BY_ROLE
from workflows.jobs.durable import compute_sha256, read_json, write_json

CARD_SCHEMA_VERSION = 1
ENERGY_AIM_MEV_PER_ATOM = 5.0
RELATIVE_FORCE_AIM = 0.15
NOT_VERIFIED = "teacher not verified against DFT"
TEACHERS = {
    "chgnet": {
        "model": "CHGNet 0.3.0, pre-trained on the Materials Project trajectory data set",
        "reference": "Deng et al., Nat. Mach. Intell. 5, 1031 (2023)",
        "doi": "10.1038/s42256-023-00716-3",
    }
}
DESCRIPTOR_REFERENCE = {
    "reference": "Nguyen and Rohskopf, J. Comput. Phys. 480, 112030 (2023)",
    "doi": "10.1016/j.jcp.2023.112030",
}


@dataclass(frozen=True)
class LatticeComparison:
    """Lattice constants of one crystal by teacher and potential; None where the crystal fell apart."""

    crystal: str
    teacher: Mapping[str, float] | None
    potential: Mapping[str, float] | None

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the relative differences."""
        teacher, potential = self.teacher or {}, self.potential or {}
        names = list(teacher or potential) or ["a_A"]
        return {
            "crystal": self.crystal,
            "constants": {
                name: {
                    "teacher": teacher.get(name),
                    "potential": potential.get(name),
                    "relative_difference": potential[name] / teacher[name] - 1 if teacher and potential else None,
                }
                for name in names
            },
        }


def judge_errors(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Errors by kind, each with whether the aims are met."""
    judged = []
    for entry in errors:
        relative = entry["relative_force_error"]
        judged.append(
            {
                **entry,
                "energy_aim_met": entry["energy_rmse_meV_per_atom"] <= ENERGY_AIM_MEV_PER_ATOM,
                "force_aim_met": relative is not None and relative <= RELATIVE_FORCE_AIM,
            }
        )
    return judged


def build_card(
    *,
    config: Mapping[str, Any],
    fit_values: Mapping[str, Any],
    rounds: Sequence[Mapping[str, Any]],
    versions: Mapping[str, str],
    lattices: Sequence[LatticeComparison] = (),
    drift: Mapping[str, Any] | None = None,
    crystal_order: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The card as JSON values; checksums are added when the files are written.

    Args:
        config: resolved configuration of the flow.
        fit_values: of the last fit.
        rounds: of each round what was sampled and how good the fit then was.
        versions: package → version, as recorded with the results.
        lattices: lattice constants.
        drift: of the NVE run: `drift_meV_per_atom_per_ps`, `time_ps`, `timestep_fs`, `temperature_K`, `n_atoms`, and
            `failure`, the reason if it broke down.
        crystal_order: whether crystals held in dynamics with the potential: `system`, `elements`,
            `temperature_K`, `time_ps`, `displacement_ratio` and `verdict`; see `add_crystal_order`.
    """
    teacher = config["teacher"]["name"]
    held_out = judge_errors(fit_values["errors"]["held_out"])
    return {
        "schema_version": CARD_SCHEMA_VERSION,
        "name": config["name"],
        "elements": list(fit_values["elements"]),
        "form": {
            "name": "POD (proper orthogonal descriptors)",
            "engine": "LAMMPS pair_style pod",
            **DESCRIPTOR_REFERENCE,
        },
        "teacher": {
            "calculator": teacher,
            **TEACHERS.get(teacher, {"model": str(config["teacher"]["overrides"].get("factory", teacher))}),
            "versions": {name: versions[name] for name in ("chgnet", "torch") if name in versions},
            "statement": NOT_VERIFIED,
        },
        "versions": dict(versions),
        "rounds": [dict(entry) for entry in rounds],
        "fit": {**config["fit"], "n_coefficients": fit_values["n_coefficients"], "seed": config["seed"]},
        "aims": {"energy_rmse_meV_per_atom": ENERGY_AIM_MEV_PER_ATOM, "relative_force_error": RELATIVE_FORCE_AIM},
        "errors": {"held_out": held_out, "training": judge_errors(fit_values["errors"]["training"])},
        "held_out_trajectories": list(fit_values["held_out"]),
        "smallest_distance_A": fit_values["smallest_distance_A"],
        "lattice_constants": [lattice.to_json() for lattice in lattices],
        "energy_drift": dict(drift) if drift is not None else None,
        "crystal_order": [dict(entry) for entry in crystal_order],
    }


def write_potential(directory: Path, files: Mapping[str, Path], card: Mapping[str, Any]) -> dict[str, Any]:
    """Write a potential's folder: its files, card.json and card.md.

    Args:
        directory: made if missing.
        files: role (`descriptor`, `coefficients`, `domain`) → file.
        card: as `build_card` gives it.

    Returns:
        The card with the checksums of the files.
    """
    directory.mkdir(parents=True, exist_ok=True)
    checksums = {}
    for role, name in FILES_BY_ROLE.items():
        aside = directory / f".{name}.part"
        shutil.copyfile(files[role], aside)
        aside.replace(directory / name)
        checksums[name] = compute_sha256(directory / name)
    whole = {**card, "sha256": checksums}
    write_json(directory / "card.json", whole)
    write_text_atomically(directory / "card.md", text=format_card(whole))
    return whole


def add_crystal_order(directory: Path, *, results: Path) -> dict[str, Any]:
    """Put on a potential's card what a run of `potassium-diffusion` with it found of the crystal order of its alloys.

    Args:
        directory: of the potential; card.json and card.md are written anew.
        results: the run's `results.json`. What it says of an equal crystal replaces what the card said.

    Returns:
        The card.

    Raises:
        InputError: if there is no card or no such run, or the run was made with another potential.
    """
    card, run = read_json(directory / "card.json"), read_json(results)
    if card is None or run is None:
        raise InputError(f"{directory if card is None else results}: has no card or results; give those of a run.")
    used = run["provenance"]["checksums"]
    if any(used.get(role) != card["sha256"][name] for role, name in FILES_BY_ROLE.items()):
        raise InputError(f"{results}: the run was made with another potential than {card['name']} in {directory}.")
    repeats = " × ".join(str(number) for number in run["config"]["structure"]["repeats"])
    given = {name: run["config"]["structure"].get(f"{name}_A") for name in ("a", "c")}
    lattice = "".join(f", {name} = {length_A:g} Å" for name, length_A in given.items() if length_A is not None)
    seen = {entry["system"]: entry for entry in card.get("crystal_order") or ()}
    for case, observables in run["observables"]["cases"].items():
        order = observables["crystal_order"]
        system = f"{run['system']['alloy']['name']} slab of {repeats} cells{lattice} under potassium, {case}"
        seen[system] = {
            "system": system,
            "elements": sorted(Formula(run["system"]["alloy"]["formula"]).count()),
            "temperature_K": run["config"]["dynamics"]["temperature_K"],
            "time_ps": order["time_ps"][-1],
            "relaxation_ratio": order["relaxation_ratio"],
            "displacement_ratio": order["final_ratio"],
            "verdict": order["verdict"],
        }
    whole = {**card, "crystal_order": list(seen.values())}
    write_json(directory / "card.json", whole)
    write_text_atomically(directory / "card.md", text=format_card(whole))
    return whole


def format_card(card: Mapping[str, Any]) -> str:
    """The card in Markdown."""
    teacher, form, aims, fit = card["teacher"], card["form"], card["aims"], card["fit"]
    lines = [f"# Potential {card['name']} ({'–'.join(card['elements'])})", ""]
    lines += [
        f"**{teacher['statement'][0].upper()}{teacher['statement'][1:]}.** The errors below say how well the potential",
        "imitates its teacher, not how well either describes nature.",
        "",
        f"- Form: {form['name']}, {form['engine']}; {form['reference']}, doi:{form['doi']}",
        f"- Teacher: {teacher['model']}"
        + (f"; {teacher['reference']}, doi:{teacher['doi']}" if "doi" in teacher else "")
        + "".join(f"; {name} {version}" for name, version in teacher["versions"].items()),
        f"- Elements, in the order of the atom types: {' '.join(card['elements'])}",
        f"- Made by `alkaliflow run potential-distillation`, seed {fit['seed']}, {len(card['rounds'])} rounds",
        "",
        "## Errors on held-out trajectories",
        "",
        f"Aims: energy ≤ {aims['energy_rmse_meV_per_atom']:g} meV/atom, force ≤ {aims['relative_force_error']:.0%}",
        "of the RMS force (RMS over components). A trajectory is in the training set or held out, never both.",
        "",
        *_format_errors(card["errors"]["held_out"]),
        "",
        "## Errors on the training set",
        "",
        *_format_errors(card["errors"]["training"]),
        "",
        *_format_rounds(card),
        *_format_fit(card),
        *_format_checks(card),
        *_format_crystal_order(card),
        "## Files",
        "",
        "| file | SHA-256 |",
        "|---|---|",
        *[f"| {name} | `{digest}` |" for name, digest in card["sha256"].items()],
    ]
    return "\n".join(lines) + "\n"


def _format_errors(errors: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| kind | runs | frames | atoms | energy RMSE, meV/atom | force RMSE, eV/Å | RMS force, eV/Å | ratio | aims |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for entry in errors:
        met = [name for name in ("energy", "force") if entry[f"{name}_aim_met"]]
        relative = entry["relative_force_error"]
        lines.append(
            f"| {entry['kind']} | {entry['n_trajectories']} | {entry['n_frames']} | {entry['n_atoms']} "
            f"| {entry['energy_rmse_meV_per_atom']:.2f} | {entry['force_rmse_eV_per_A']:.3f} "
            f"| {entry['rms_force_eV_per_A']:.3f} | {'—' if relative is None else f'{relative:.1%}'} "
            f"| {' and '.join(met) or 'neither'} |"
        )
    return lines


def _format_rounds(card: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Rounds",
        "",
        "| round | sampled with | trajectories | frames | left out | teacher evaluations | failed |",
    ]
    lines.append("|---:|---|---:|---:|---:|---:|---:|")
    names = ("round", "sampled_with", "n_trajectories", "n_frames", "n_left_out", "n_evaluations", "n_failed")
    lines += [f"| {' | '.join(str(entry[name]) for name in names)} |" for entry in card["rounds"]]
    return [*lines, ""]


def _format_fit(card: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Hyper-parameters",
        "",
        f"{card['fit']['n_coefficients']} coefficients.",
        "",
        "| name | value |",
        "|---|---|",
    ]
    hidden = ("n_coefficients", "seed")
    lines += [f"| {name} | {value} |" for name, value in card["fit"].items() if name not in hidden]
    return [*lines, "", *_format_distances(card)]


def _format_distances(card: Mapping[str, Any]) -> list[str]:
    elements = card["elements"]
    lines = ["Smallest distances in the training set, in Å:", "", f"| | {' | '.join(elements)} |"]
    lines.append("|---|" + "---:|" * len(elements))
    for element, row in zip(elements, card["smallest_distance_A"], strict=True):
        cells = " | ".join("—" if value is None else f"{value:.2f}" for value in row)
        lines.append(f"| {element} | {cells} |")
    return [*lines, ""]


def _format_checks(card: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    if card["lattice_constants"]:
        lines += ["## Lattice constants", "", "At 0 K, in Å, by the teacher and by the potential.", ""]
        lines += ["| crystal | constant | teacher | potential | difference |", "|---|---|---:|---:|---:|"]
        for entry in card["lattice_constants"]:
            for name, found in entry["constants"].items():
                values = [_show_or(found[who], "{:.3f}", "fell apart") for who in ("teacher", "potential")]
                difference = _show_or(found["relative_difference"], "{:+.1%}", "—")
                lines.append(
                    f"| {entry['crystal']} | {name.removesuffix('_A')} | {' | '.join(values)} | {difference} |"
                )
        lines.append("")
    drift = card["energy_drift"]
    if drift is not None:
        lines += ["## Energy drift", ""]
        run = (
            f"NVE dynamics of {drift['n_atoms']} atoms of potassium on the alloy, {drift['timestep_fs']:g} fs, "
            f"from {drift['temperature_K']:g} K"
        )
        if drift["failure"] is not None:
            lines += [f"The run broke down ({run}): {drift['failure']}", ""]
        else:
            lines += [
                f"{drift['drift_meV_per_atom_per_ps']:+.4f} meV/atom/ps over {drift['time_ps']:g} ps ({run}).",
                "",
            ]
    return lines


def _format_crystal_order(card: Mapping[str, Any]) -> list[str]:
    lines = [
        f"| {entry['system']} | {entry['temperature_K']:g} | {entry['time_ps']:g} | {entry['displacement_ratio']:.2f} "
        f"| {entry['verdict']} |"
        for entry in card.get("crystal_order") or ()
    ]
    if not lines:
        return []
    head = ["## Crystal order", "", "Root mean square distance of deep atoms from the sites they were built on.", ""]
    table = ["| crystal | K | ps | neighbour distances | verdict |", "|---|---:|---:|---:|---|"]
    return [*head, *table, *lines, ""]


def _show_or(value: float | None, form: str, otherwise: str) -> str:
    return otherwise if value is None else form.format(value)
