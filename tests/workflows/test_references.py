"""The works to cite are those that a run used, each with a whole entry."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from workflows.references import collect_references

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("calculator", ["pod", "lammps", "chgnet", "ase"])
def test_every_entry_is_whole(calculator: str) -> None:
    *works, software = collect_references(calculator)
    for work in works:
        assert re.match(r"@article\{\w+,\n  author = \{\w", work.bibtex)
        assert {"title", "journal", "year", "doi"} <= set(re.findall(r"^  (\w+) = \{", work.bibtex, re.MULTILINE))
        assert work.bibtex.count("{") == work.bibtex.count("}")
        assert f"doi = {{{work.doi}}}" in work.bibtex
    assert software.bibtex.startswith("@software{alkaliflow,")


def test_what_was_not_used_is_not_cited() -> None:
    used = {name: {work.doi for work in collect_references(name)} for name in ("pod", "lammps", "ase")}
    pod, lammps = "10.1016/j.jcp.2023.112030", "10.1016/j.cpc.2021.108171"
    assert {pod, lammps} <= used["pod"]
    assert lammps in used["lammps"]
    assert pod not in used["lammps"]
    assert not {pod, lammps} & used["ase"]


def test_the_software_is_cited_as_its_citation_file_says() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    entry = collect_references("pod")[-1].bibtex
    assert f"title = {{{{{citation['title']}}}}}" in entry
    assert f"author = {{{{{citation['authors'][0]['name']}}}}}" in entry
    assert f"version = {{{citation['version']}}}" in entry
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == citation["version"]
