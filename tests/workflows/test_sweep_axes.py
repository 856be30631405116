"""What is swept: keys with their values, from files and from options; and what is refused, with its fix."""

from pathlib import Path

import pytest

from structures.errors import InputError
from workflows.sweep_axes import MAX_MEMBERS, Axis, build_product, check_apart, find_axes, parse_axis, split_values


def read(tmp_path: Path, text: str, *options: str) -> list[Axis]:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return find_axes(path, options=options)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("dynamics.temperature_K=260,280,300", (260, 280, 300)),
        ("seed=1..5", (1, 2, 3, 4, 5)),
        ("seed=-1..1, 7", (-1, 0, 1, 7)),
        ("seed=3", (3,)),
        ("structure.repeats=[8,4,3],[12,6,4]", ([8, 4, 3], [12, 6, 4])),
        ("structure.alloy={Bi: 1, Sb: 1},M-BiSnSb", ({"Bi": 1, "Sb": 1}, "M-BiSnSb")),
        ("reactions=\"A, B\",'C'", ("A, B", "C")),
        ("checks.basis=def2-svpd,null", ("def2-svpd", None)),
        ("checks.k_points=true,false", (True, False)),
        ("x=1e-5,2.5", (1e-5, 2.5)),
    ],
)
def test_an_option_lists_values(text: str, values: tuple[object, ...]) -> None:
    axis = parse_axis(text)
    assert (axis.key, axis.values, axis.origin) == (text.partition("=")[0], values, "--sweep")


def test_a_file_lists_values(tmp_path: Path) -> None:
    axes = read(tmp_path, "sweep:\n  dynamics.temperature_K: [260, 280]\n  seed: 1..3\n", "replicas=1,2")
    assert [(axis.key, axis.values) for axis in axes] == [
        ("dynamics.temperature_K", (260, 280)),
        ("seed", (1, 2, 3)),
        ("replicas", (1, 2)),
    ]
    assert axes[0].origin == f"{tmp_path / 'c.yaml'}: sweep"
    assert find_axes(None) == []
    assert read(tmp_path, "seed: 3\n") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sweep:\n", r"c\.yaml: sweep holds no keys, needs e\.g\. dynamics\.temperature_K: \[260, 280, 300\]"),
        ("sweep: [1, 2]\n", "holds no keys"),
        ("sweep: {seed: []}\n", r"sweep: seed has no values, needs at least one\. Write e\.g\. seed: \[1, 2\]"),
        ("sweep: {seed: 3}\n", r"seed is 3, needs a list or a range\. Write e\.g\. seed: \[3\], or seed: 1\.\.5"),
        ("sweep: {seed: 5..1}\n", r"seed is 5\.\.1, needs the smaller number first\. Write seed: 1\.\.5"),
        ("sweep: {seed: 1..2000000000}\n", r"2000000000 values, at most 1000 runs are one sweep\. Take fewer"),
        ("sweep: {dynamics: {temperature_K: [1]}}\n", r"Write the whole key, e\.g\. dynamics\.temperature_K: \[1, 2\]"),
        ("sweep: {seed: [1, 2, 1]}\n", r"seed has 1 twice, needs each value once\. Take one out"),
        ("sweep: {seed: [1..3, 2]}\n", "seed has 2 twice"),
        ("sweep:\n  seed: [1]\n  seed: [2]\n", "the key 'seed' stands twice; keep one"),
    ],
)
def test_a_section_that_cannot_be_swept_is_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize("text", ["seed", "=1,2", "a..b=1", "seed=", "seed=[1"])
def test_an_option_that_cannot_be_read_is_explained(text: str) -> None:
    with pytest.raises(InputError, match="--sweep"):
        parse_axis(text)


@pytest.mark.parametrize(
    ("options", "sets", "message"),
    [
        (("seed=1,2", "seed=3"), (), r"seed is given twice \(--sweep and --sweep\), needs one list of values"),
        (("seed=1,2",), ("seed=3",), r"seed is given twice \(--sweep and --set\)"),
        (("dynamics.ensemble=nvt,npt", "dynamics={}"), (), "lie within each other, need to be apart"),
        (("dynamics.ensemble=nvt,npt",), ("dynamics={}",), "lie within each other"),
    ],
)
def test_a_key_is_given_once(options: tuple[str, ...], sets: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_apart([parse_axis(text) for text in options], sets=sets)


def test_file_and_option_may_not_give_the_same_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"seed is given twice \(.*c\.yaml: sweep and --sweep\)"):
        read(tmp_path, "sweep: {seed: [1, 2]}\n", "seed=3")


def test_keys_that_only_begin_alike_are_apart() -> None:
    check_apart([parse_axis("seed=1,2"), parse_axis("seeds=1,2")], sets=["replicas=1", "replicas=2"])


def test_the_product_is_that_of_nested_loops() -> None:
    axes = [parse_axis("a=1..3"), parse_axis("b=x,y"), parse_axis("c=true,false")]
    naive = [{"a": a, "b": b, "c": c} for a in (1, 2, 3) for b in ("x", "y") for c in (True, False)]
    assert build_product(axes) == naive


def test_there_is_a_largest_sweep() -> None:
    assert len(build_product([parse_axis("a=1..100"), parse_axis("b=1..10")])) == MAX_MEMBERS
    with pytest.raises(InputError, match="100 × 11 values are 1100 runs, at most 1000 are one sweep"):
        build_product([parse_axis("a=1..100"), parse_axis("b=1..11")])


def test_commas_inside_brackets_and_quotes_separate_nothing() -> None:
    assert split_values("1, [2,3],{a: 4, b: 5},'6,7',,") == ("1", "[2,3]", "{a: 4, b: 5}", "'6,7'")
