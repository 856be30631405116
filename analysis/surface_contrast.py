"""Two cases at a surface: how near molecules come and how many coordinate it, compared over replicas."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.approach_range import compute_approach_range, find_first_range, get_site
from analysis.case_difference import CaseDifference, compare_cases
from analysis.common_cutoff import find_common_cutoff
from analysis.rdf import RadialDistribution, combine_rdfs, count_within
from analysis.surface_approach import SurfaceApproach
from analysis.uncertainty import Quantity
from structures.errors import InputError


@dataclass(frozen=True)
class SurfaceContrast:
    """A site at a surface in two cases.

    Attributes:
        label: species and site.
        cutoff_A: the cut-off in both cases, in Å.
        cutoff_source: where it comes from.
        sites: sites within the cut-off of a surface atom.
        molecules: molecules with any atom within it.
        range_A: onset, peak and end of the first peak, those that every replica of both cases resolves, in Å.
        sentence: the answer in one sentence, with what would resolve it.
    """

    label: str
    cutoff_A: float
    cutoff_source: str
    sites: CaseDifference
    molecules: CaseDifference
    range_A: dict[str, CaseDifference]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The contrast as JSON values; estimate, low and high are those of the difference of sites."""
        difference = self.sites.difference
        return {
            "label": self.label,
            "quantity": f"{self.label} about a surface atom",
            "estimate": difference.value,
            "low": difference.low,
            "high": difference.high,
            "unit": difference.unit,
            "n_replicas": self.sites.n_replicas,
            "resolved": self.sites.resolved,
            "advice": self.sites.advice,
            "sentence": self.sentence,
            "cutoff_A": self.cutoff_A,
            "cutoff_source": self.cutoff_source,
            "sites": self.sites.to_json(),
            "molecules": self.molecules.to_json(),
            "range_A": {name: one.to_json() for name, one in self.range_A.items()},
        }


def compute_surface_contrast(
    first: Sequence[SurfaceApproach],
    *,
    second: Sequence[SurfaceApproach],
    label: str,
    names: tuple[str, str],
    cutoff_A: float | None = None,
    doubts: Sequence[str] = (),
) -> SurfaceContrast:
    """Compare a site at a surface in two cases, with one cut-off for both.

    Args:
        first: replicas of the first case.
        second: replicas of the second.
        label: species and site, e.g. "TFSI- O".
        names: of the two cases, as in a sentence, e.g. `("with the layer", "without")`.
        cutoff_A: the cut-off, in Å; None for the first minimum of g(r), pooled over both.
        doubts: why the difference is no result, e.g. "the state depends on how it was prepared".

    Returns:
        The contrast.

    Raises:
        InputError: if a case has no replica or site, or neither g(r) has a first minimum and no cut-off is given.
    """
    if not first or not second:
        raise InputError(f"{len(first)} replicas {names[0]} and {len(second)} {names[1]}; needs one of each")
    rdfs = [[get_site(one, label=label) for one in case] for case in (first, second)]
    species = next(name for name in first[0].molecules if label == name or label.startswith(f"{name} "))
    source = "as asked for"
    if cutoff_A is None:
        pooled = {name: combine_rdfs(case) for name, case in zip(names, rdfs, strict=True)}
        cutoff_A, source = find_common_cutoff(pooled)
        if cutoff_A is None:
            raise InputError(f"no cut-off for {label}: {source}. Give cutoff_A, or run longer")

    def count(distributions: Sequence[RadialDistribution]) -> list[float]:
        numbers = [count_within(one, cutoff_A=cutoff_A, source=source).coordination_number for one in distributions]
        return [number.value for number in numbers if number is not None]

    sites = compare_cases(count(rdfs[0]), second=count(rdfs[1]), unit="1", doubts=doubts)
    whole = [[one.molecules[species] for one in case] for case in (first, second)]
    molecules = compare_cases(count(whole[0]), second=count(whole[1]), unit="1", doubts=doubts)
    reached_A = count_within(rdfs[0][0], cutoff_A=cutoff_A, source=source).cutoff_A or cutoff_A
    ranges = {}
    resolved = [[find_first_range(one.r_A, g=one.g, noise=one.noise)[0] for one in case] for case in rdfs]
    if all(one is not None for case in resolved for one in case):
        for column, name in enumerate(("onset", "peak", "end")):
            values = [[one[column] for one in case if one is not None] for case in resolved]
            ranges[name] = compare_cases(values[0], second=values[1], unit="Å", doubts=doubts)
    ends = [compute_approach_range(case, label=label) for case in rdfs]
    near = [
        f"between {_show(one.onset_A)} and {_show(one.end_A)} Å {name}"
        for one, name in zip(ends, names, strict=True)
        if one.onset_A is not None
    ]
    approach = f" Its first peak lies {' and '.join(near)}." if near else ""
    sentence = (
        f"{label} about a surface {first[0].surface}, within {reached_A:.2f} Å: {_show(sites.first)} {names[0]} and "
        f"{_show(sites.second)} {names[1]} ({_count(len(first))} and {_count(len(second))}); difference "
        f"{_show(sites.difference)}{_describe_ratio(sites.ratio)}.{approach} {sites.advice}"
    ).rstrip()
    return SurfaceContrast(label, reached_A, source, sites, molecules, ranges, sentence)


def _show(quantity: Quantity | None) -> str:
    """Value with half its interval."""
    if quantity is None:
        return "?"
    value = f"{quantity.value:.2f}".replace("-", "−")
    return value if quantity.uncertainty is None else f"{value} ± {quantity.uncertainty:.2f}"


def _describe_ratio(ratio: Quantity | None) -> str:
    if ratio is None or ratio.low is None or ratio.high is None:
        return ""
    return f", ratio {ratio.value:.2f}, 95 % interval {ratio.low:.2f} to {ratio.high:.2f}"


def _count(n_replicas: int) -> str:
    return "1 replica" if n_replicas == 1 else f"{n_replicas} replicas"
