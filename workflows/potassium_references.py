"""Works to cite for a run of the flow `potassium-diffusion`: those whose methods it used."""

from importlib.metadata import version

from analysis.results import Reference


def collect_references(calculator: str) -> tuple[Reference, ...]:
    """What a run with this calculator rests on, the software itself last."""
    keys = ("dou2024", *_BY_CALCULATOR.get(calculator, ()), "michaudagrawal2011", "ramasubramani2020", "larsen2017")
    return (*(_build(key) for key in keys), _cite_alkaliflow())


def _build(key: str) -> Reference:
    authors, title, journal, volume, pages, year, doi = _WORKS[key]
    fields = {"author": authors, "title": f"{{{title}}}", "journal": journal, "volume": volume}
    fields |= {"pages": pages, "year": year, "doi": doi}
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    first = authors.split(",", maxsplit=1)[0]
    others = " et al." if authors.count(" and ") > 1 else f" and {authors.split(' and ')[1].split(',')[0]}"
    place = f"{journal} {volume}, {pages} ({year})" if volume else f"{journal} ({year})"
    return Reference(f"{first}{others}: {title}. {place}", doi, f"@article{{{key},\n{lines}\n}}")


def _cite_alkaliflow() -> Reference:
    """The software, as CITATION.cff has it."""
    title, release = "alkaliflow: workflows for the interfaces of alkali-metal batteries", version("alkaliflow")
    entry = f"@software{{alkaliflow,\n  author = {{{{alkaliflow developers}}}},\n  title = {{{{{title}}}}},\n"
    return Reference(f"{title}, version {release}", None, f"{entry}  version = {{{release}}}\n}}")


_BY_CALCULATOR = {
    "pod": ("nguyen2023", "deng2023", "thompson2022"),
    "lammps": ("thompson2022",),
    "chgnet": ("deng2023",),
}

# Key → authors, title, journal, volume, pages, year, DOI.
_WORKS = {
    "dou2024": (
        (
            "Dou, Shuming and Shao, Yueyue and Fan, Longlong and Zhang, Danfeng and Xu, Jie and Zhang, Jingchao and "
            "Tian, Huijie and He, Yan-Bing and Mao, Chong and Zhu, He and Gan, Wei and Zeng, Jianrong and "
            "Liu, Wei-Di and Zhou, Jia and Chen, Yanan and Yuan, Qunhui"
        ),
        (
            "Nonequilibrium Thermal Shock Enabled Trapping of Metastable Multi-Element Alloy Anode for Potassium-Ion "
            "Batteries"
        ),
        "Advanced Functional Materials",
        "",
        "",
        "2024",
        "10.1002/adfm.202412551",
    ),
    "nguyen2023": (
        "Nguyen, Ngoc-Cuong and Rohskopf, Andrew",
        "Proper orthogonal descriptors for efficient and accurate interatomic potentials",
        "Journal of Computational Physics",
        "480",
        "112030",
        "2023",
        "10.1016/j.jcp.2023.112030",
    ),
    "deng2023": (
        (
            "Deng, Bowen and Zhong, Peichen and Jun, KyuJung and Riebesell, Janosh and Han, Kevin and "
            "Bartel, Christopher J. and Ceder, Gerbrand"
        ),
        "CHGNet as a pretrained universal neural network potential for charge-informed atomistic modelling",
        "Nature Machine Intelligence",
        "5",
        "1031--1041",
        "2023",
        "10.1038/s42256-023-00716-3",
    ),
    "thompson2022": (
        (
            "Thompson, Aidan P. and Aktulga, H. Metin and Berger, Richard and Bolintineanu, Dan S. and "
            "Brown, W. Michael and Crozier, Paul S. and in 't Veld, Pieter J. and Kohlmeyer, Axel and "
            "Moore, Stan G. and Nguyen, Trung Dac and Shan, Ray and Stevens, Mark J. and Tranchida, Julien and "
            "Trott, Christian and Plimpton, Steven J."
        ),
        (
            "LAMMPS - a flexible simulation tool for particle-based materials modeling at the atomic, meso, and "
            "continuum scales"
        ),
        "Computer Physics Communications",
        "271",
        "108171",
        "2022",
        "10.1016/j.cpc.2021.108171",
    ),
    "michaudagrawal2011": (
        "Michaud-Agrawal, Naveen and Denning, Elizabeth J. and Woolf, Thomas B. and Beckstein, Oliver",
        "MDAnalysis: A toolkit for the analysis of molecular dynamics simulations",
        "Journal of Computational Chemistry",
        "32",
        "2319--2327",
        "2011",
        "10.1002/jcc.21787",
    ),
    "ramasubramani2020": (
        (
            "Ramasubramani, Vyas and Dice, Bradley D. and Harper, Eric S. and Spellings, Matthew P. and "
            "Anderson, Joshua A. and Glotzer, Sharon C."
        ),
        "freud: A software suite for high throughput analysis of particle simulation data",
        "Computer Physics Communications",
        "254",
        "107275",
        "2020",
        "10.1016/j.cpc.2020.107275",
    ),
    "larsen2017": (
        "Larsen, Ask Hjorth and Mortensen, Jens J{\\o}rgen and Blomqvist, Jakob and Castelli, Ivano E. and others",
        "The atomic simulation environment - a Python library for working with atoms",
        "Journal of Physics: Condensed Matter",
        "29",
        "273002",
        "2017",
        "10.1088/1361-648X/aa680e",
    ),
}
