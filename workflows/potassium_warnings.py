"""What a reader of a run of `potassium-diffusion` must know before using a number."""

from collections.abc import Mapping, Sequence

from analysis.contact import ContactCase
from analysis.crystal_order import CrystalOrder
from analysis.penetration import Penetration
from analysis.region_temperature import SIGMAS, RegionTemperature
from analysis.results import ResultWarning
from structures.metal import POTASSIUM_MELTING_POINT_K
from workflows.jobs.store import Finished
from workflows.known_limits import find_known_limits
from workflows.potassium_cells import DISLOCATION, find_alloy
from workflows.potassium_run import GAP_SCAN, CaseData, RunFacts
from workflows.relaxation_log import find_energy_fall_eV

_CIRCUITS = (
    "A Burgers circuit is a closed walk from bond to bond around a core or a pair of cores, here of three sizes each; "
    "mapped onto the perfect crystal it fails to close by the Burgers vector b of what it goes around."
)
_FEW_ATOMS = 10
_CORES_GONE = {"unclear": "the cores cannot be told", "annihilates": "the cores have annihilated"}


def judge_orders(orders: Mapping[str, CrystalOrder]) -> list[ResultWarning]:
    """What is left to say of crystals that are none, and of dislocations in them if there were any."""
    lost = "; nothing here is about dislocations" if DISLOCATION in orders else "; the depth is not one in the crystal"
    warnings = []
    for case, order in orders.items():
        text = f"{case.capitalize()}: {order.sentence}"
        if order.verdict == "lost":
            warnings.append(ResultWarning("red", f"{text.removesuffix('.')}{lost}."))
        elif order.verdict == "disordering":
            warnings.append(ResultWarning("amber", text))
    return warnings


def find_doubts(cases: Mapping[str, ContactCase], *, orders: Mapping[str, CrystalOrder]) -> tuple[str, ...]:
    """Why the depths of a run are no result about its crystal and dislocations, however many replicas there are."""
    lost = [case for case, order in orders.items() if order.verdict == "lost"]
    left = [case for case, part in cases.items() if part.guard is not None and not part.guard["trustworthy"]]
    found = [
        f"{what}{'' if len(names) == len(cases) else f' ({names[0]})'}"
        for what, names in (
            ("the alloy has lost its crystal order", lost),
            ("the potential has left the domain it was trained in", left),
        )
        if names
    ]
    verdicts = {part.core.verdict for part in cases.values() if part.core is not None}
    found += [words for verdict, words in _CORES_GONE.items() if verdict in verdicts]
    return tuple(found)


def judge_temperatures(found: Mapping[str, RegionTemperature], *, case: str, thermostat: str) -> list[ResultWarning]:
    """What is left to say of a region that is not at the temperature that was set."""
    off = [part for part in found.values() if part.is_off]
    if not off:
        return []
    words = " and ".join(f"the {part.name} is at {part.worst_K:.0f} K" for part in off)
    limits = ", ".join(f"{SIGMAS * part.error_of_mean_K:.1f} K ({part.name})" for part in off)
    text = (
        f"{case.capitalize()}: {words} in production, set are {off[0].set_K:g} K. That is beyond three canonical "
        f"fluctuations of such a mean, {limits}: heat of a reaction or of a relaxation that was not finished."
    )
    if thermostat == "nose-hoover":
        text += " Nosé–Hoover keeps the mean of all atoms alone; dynamics.thermostat: langevin acts on each of them."
    return [ResultWarning("amber", text)]


def judge_case(part: ContactCase, *, case: str) -> list[ResultWarning]:
    """What guard and circuits found in the dynamics of a case."""
    warnings = []
    if part.guard is None:
        warnings.append(ResultWarning("amber", f"No guard watched {case}: the calculator brings no trained domain."))
    elif not part.guard["trustworthy"]:
        warnings.append(ResultWarning("red", f"Not trustworthy, {case}: {part.guard['sentence']}"))
    if part.core is not None and part.core.verdict != "stays":
        warnings.append(ResultWarning("amber", f"The dislocation: {part.core.sentence}"))
    return warnings


def judge_gap(scan: Finished) -> list[ResultWarning]:
    """What is left to say of a scan whose lowest energy is at one of its ends."""
    values = scan.values
    if values["is_bracketed"]:
        return []
    gaps_A = values["gaps_A"]
    text = (
        f"The scan over gaps from {min(gaps_A):g} to {max(gaps_A):g} Å is lowest at its end, "
        f"{values['lowest_gap_A']:g} Å: no gap of lowest energy was found, and the potassium starts where the scan "
        "ended. Give structure.gap_A."
    )
    return [ResultWarning("amber", text)]


def judge_relaxation(relaxation: Finished, *, case: str) -> list[ResultWarning]:
    """What is left to say of a relaxation that was stopped before its forces were small."""
    values = relaxation.values
    if values["converged"]:
        return []
    text = f"The relaxation of {case} was not finished: after {values['n_steps']} steps it ended at "
    text += f"{values['largest_force_eV_per_A']:.2f} eV/Å"
    if (fall_eV := find_energy_fall_eV(relaxation)) is not None:
        text += f", while its energy still fell by {fall_eV:.2f} eV per 100 steps"
    return [ResultWarning("amber", f"{text}. What was left undone goes on in the dynamics.")]


def judge_depths(penetration: Penetration) -> list[ResultWarning]:
    """What is left to say of depths that are those of a few atoms: they are the places of those."""
    names = {"total": "in all", "core": "in the core columns", "crystal": "outside them"}
    series = {"total": penetration.total, **penetration.by_region}
    few = [name for name, part in series.items() if part.atoms_beyond < _FEW_ATOMS]
    if not few:
        return []
    counts = [f"{series[name].atoms_beyond:.1f} {names[name]} ({series[name].area_nm2:.1f} nm²)" for name in few]
    density = penetration.areal_density_per_nm2
    text = (
        f"Depth from few atoms: at {density:g} nm⁻² K atoms beyond the depth are {', '.join(counts)}. Below "
        f"{_FEW_ATOMS} a depth is the place of single atoms. A larger cell, or a larger "
        "analysis.areal_density_per_nm2, takes more."
    )
    for name in few:
        if (wanted := density * series[name].area_nm2) < 1:
            text += f" So small is the area {names[name]} that this would be {wanted:.2f} atoms: there, one counts."
    return [ResultWarning("amber", text)]


def collect_warnings(
    run: RunFacts,
    *,
    data: Mapping[str, CaseData],
    cases: Mapping[str, ContactCase],
    relaxed: Mapping[str, str],
    dynamics: Mapping[str, Sequence[str]],
    proof: str,
) -> list[ResultWarning]:
    """What a reader must know before using a number."""
    warnings = [warning for case, part in cases.items() for warning in judge_case(part, case=case)]
    # The regions are the same in all cases.
    warnings.extend(warning for part in list(cases.values())[:1] for warning in judge_depths(part.penetration))
    if GAP_SCAN in run.keys:
        warnings.extend(judge_gap(run.finished(run.keys[GAP_SCAN])))
    for case, key in relaxed.items():
        warnings.extend(judge_relaxation(run.finished(key), case=case))
    for case, keys in dynamics.items():
        breaks = [text for key in keys for text in run.finished(key).values.get("breaks", ())]
        warnings.extend(ResultWarning("amber", f"A break in the dynamics of {case}, {text}.") for text in breaks)
    shear = max((abs(d.cell.geometry.control_shear_strain) for d in data.values() if d.cell.geometry), default=0.0)
    if shear > 0.01:  # noqa: PLR2004 a hundredth is felt in barriers
        warnings.append(ResultWarning("amber", f"The control is sheared by {100 * shear:.1f} %; use the quadrupole."))
    if run.config.dynamics.temperature_K > POTASSIUM_MELTING_POINT_K:
        warnings.append(ResultWarning("amber", "The potassium is liquid at this temperature."))
    elements = {symbol for part in data.values() for symbol in set(part.relaxed.symbols)}
    alloy = find_alloy(run.config.structure)
    known = find_known_limits(run.config.calculator, dynamics=run.config.dynamics, elements=elements, alloy=alloy)
    warnings.extend(ResultWarning("amber", text) for text in known)
    if run.config.calculator.name == "pod":
        warnings.append(ResultWarning("amber", "The potential's teacher (CHGNet) is not verified against DFT here."))
    if DISLOCATION in relaxed:
        text = "The kind of dislocation is ours, a basal edge: the publication names none."
        warnings.append(ResultWarning("amber", f"{text} Relaxed cell: {proof} {_CIRCUITS}"))
    return warnings
