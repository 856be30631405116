"""Works to cite for a run: those whose methods it used."""

from collections.abc import Iterable
from importlib.metadata import version

from analysis.results import Reference


def collect_references(calculator: str) -> tuple[Reference, ...]:
    """What a run of `potassium-diffusion` with this calculator rests on, the software itself last."""
    keys = ("dou2024", *_BY_CALCULATOR.get(calculator, ()), "michaudagrawal2011", "ramasubramani2020", "larsen2017")
    return (*(_build(key) for key in keys), _cite_alkaliflow())


def collect_electronic_references(codes: Iterable[str], *, dispersion: str) -> tuple[Reference, ...]:
    """What a run of `tfsi-adsorption` with these codes and this dispersion rests on, the software itself last."""
    d3 = {"d3zero": ("grimme2010",), "d3bj": ("grimme2010", "grimme2011")}.get(dispersion, ())
    of_codes = dict.fromkeys(key for code in codes for key in _BY_CODE[code])
    keys = ("zhen2025", "perdew1996", *of_codes, *d3, "larsen2017")
    return (*(_build(key) for key in keys), _cite_alkaliflow())


def collect_interface_references(*, has_layer: bool) -> tuple[Reference, ...]:
    """What a run of `electrolyte-interface` rests on, the software itself last."""
    layer = ("addicoat2014", "rappe1991") if has_layer else ()
    keys = ("zhen2025", "canongialopes2004", "rappe1992", *layer, "martinez2009", "yeh1999", "thompson2022")
    keys = (*keys, "michaudagrawal2011", "ramasubramani2020", "larsen2017")
    return (*(_build(key) for key in keys), _cite_alkaliflow())


def _build(key: str) -> Reference:
    authors, title, journal, volume, pages, year, doi = _WORKS[key]
    fields = {"author": authors, "title": f"{{{title}}}", "journal": journal, "volume": volume}
    fields |= {"pages": pages, "year": year, "doi": doi}
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    first = authors.split(",", maxsplit=1)[0]
    others = " et al." if authors.count(" and ") > 1 else f" and {authors.split(' and ')[1].split(',')[0]}"
    place = f"{journal} {volume}, {pages} ({year})" if volume else f"{journal} ({year})"
    text = f"{first}{others}: {title}. {place}".replace("\\&", "&").replace("--", "–")
    return Reference(text, doi, f"@article{{{key},\n{lines}\n}}")


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

_BY_CODE = {
    "gpaw": ("mortensen2024",),
    "pyscf": ("sun2020",),
    "xtb": ("bannwarth2019",),
    "cp2k": ("kuhne2020", "vandevondele2007", "goedecker1996"),
}

# Key → authors, title, journal, volume, pages, year, DOI.
_WORKS = {
    "canongialopes2004": (
        "Canongia Lopes, Jos{'e} N. and P{'a}dua, Agilio A. H.",
        "Molecular Force Field for Ionic Liquids Composed of Triflate or Bistriflylimide Anions",
        "The Journal of Physical Chemistry B",
        "108",
        "16893--16898",
        "2004",
        "10.1021/jp0476545",
    ),
    "rappe1992": (
        "Rapp{'e}, A. K. and Casewit, C. J. and Colwell, K. S. and Goddard, W. A. and Skiff, W. M.",
        "UFF, a Full Periodic Table Force Field for Molecular Mechanics and Molecular Dynamics Simulations",
        "Journal of the American Chemical Society",
        "114",
        "10024--10035",
        "1992",
        "10.1021/ja00051a040",
    ),
    "addicoat2014": (
        "Addicoat, Matthew A. and Vankova, Nina and Akter, Ismot Farjana and Heine, Thomas",
        "Extension of the Universal Force Field to Metal--Organic Frameworks",
        "Journal of Chemical Theory and Computation",
        "10",
        "880--891",
        "2014",
        "10.1021/ct400952t",
    ),
    "rappe1991": (
        "Rapp{'e}, Anthony K. and Goddard, William A.",
        "Charge Equilibration for Molecular Dynamics Simulations",
        "The Journal of Physical Chemistry",
        "95",
        "3358--3363",
        "1991",
        "10.1021/j100161a070",
    ),
    "martinez2009": (
        "Mart{'i}nez, L. and Andrade, R. and Birgin, E. G. and Mart{'i}nez, J. M.",
        "PACKMOL: A Package for Building Initial Configurations for Molecular Dynamics Simulations",
        "Journal of Computational Chemistry",
        "30",
        "2157--2164",
        "2009",
        "10.1002/jcc.21224",
    ),
    "yeh1999": (
        "Yeh, In-Chul and Berkowitz, Max L.",
        "Ewald Summation for Systems with Slab Geometry",
        "The Journal of Chemical Physics",
        "111",
        "3155--3162",
        "1999",
        "10.1063/1.479595",
    ),
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
    "zhen2025": (
        (
            "Zhen, Fengxu and Liu, Hong and Wu, Yingbin and Zhou, Xinjia and Li, Weiping and Chen, Yuzhi and "
            "Zhou, Yuke and Wang, Haoyang and Yin, Xiangkai and Ding, Shujiang and Chen, Xiaodong and Yu, Wei"
        ),
        (
            "The spontaneous cascade optimization strategy of the double enrichment improves anion-derived solid "
            "electrolyte interphases to enable stable lithium-metal batteries"
        ),
        "Energy \\& Environmental Science",
        "18",
        "4690",
        "2025",
        "10.1039/d5ee01219h",
    ),
    "perdew1996": (
        "Perdew, John P. and Burke, Kieron and Ernzerhof, Matthias",
        "Generalized gradient approximation made simple",
        "Physical Review Letters",
        "77",
        "3865--3868",
        "1996",
        "10.1103/PhysRevLett.77.3865",
    ),
    "mortensen2024": (
        "Mortensen, Jens J{\\o}rgen and Larsen, Ask Hjorth and Kuisma, Mikael and others",
        "GPAW: An open Python package for electronic structure calculations",
        "The Journal of Chemical Physics",
        "160",
        "092503",
        "2024",
        "10.1063/5.0182685",
    ),
    "bannwarth2019": (
        "Bannwarth, Christoph and Ehlert, Sebastian and Grimme, Stefan",
        (
            "GFN2-xTB---An Accurate and Broadly Parametrized Self-Consistent Tight-Binding Quantum Chemical Method "
            "with Multipole Electrostatics and Density-Dependent Dispersion Contributions"
        ),
        "Journal of Chemical Theory and Computation",
        "15",
        "1652--1671",
        "2019",
        "10.1021/acs.jctc.8b01176",
    ),
    "sun2020": (
        "Sun, Qiming and Zhang, Xing and Banerjee, Samragni and others",
        "Recent developments in the PySCF program package",
        "The Journal of Chemical Physics",
        "153",
        "024109",
        "2020",
        "10.1063/5.0006074",
    ),
    "kuhne2020": (
        'K{\\"u}hne, Thomas D. and Iannuzzi, Marcella and Del Ben, Mauro and others',
        (
            "CP2K: An electronic structure and molecular dynamics software package - Quickstep: Efficient and accurate "
            "electronic structure calculations"
        ),
        "The Journal of Chemical Physics",
        "152",
        "194103",
        "2020",
        "10.1063/5.0007045",
    ),
    "vandevondele2007": (
        'VandeVondele, Joost and Hutter, J{\\"u}rg',
        "Gaussian basis sets for accurate calculations on molecular systems in gas and condensed phases",
        "The Journal of Chemical Physics",
        "127",
        "114105",
        "2007",
        "10.1063/1.2770708",
    ),
    "goedecker1996": (
        "Goedecker, S. and Teter, M. and Hutter, J.",
        "Separable dual-space Gaussian pseudopotentials",
        "Physical Review B",
        "54",
        "1703--1710",
        "1996",
        "10.1103/PhysRevB.54.1703",
    ),
    "grimme2010": (
        "Grimme, Stefan and Antony, Jens and Ehrlich, Stephan and Krieg, Helge",
        (
            "A consistent and accurate ab initio parametrization of density functional dispersion correction (DFT-D) "
            "for the 94 elements H-Pu"
        ),
        "The Journal of Chemical Physics",
        "132",
        "154104",
        "2010",
        "10.1063/1.3382344",
    ),
    "grimme2011": (
        "Grimme, Stefan and Ehrlich, Stephan and Goerigk, Lars",
        "Effect of the damping function in dispersion corrected density functional theory",
        "Journal of Computational Chemistry",
        "32",
        "1456--1465",
        "2011",
        "10.1002/jcc.21759",
    ),
}
