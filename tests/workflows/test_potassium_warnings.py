from pathlib import Path

from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.jobs.store import Finished, Store
from workflows.potassium_run import RunFacts
from workflows.potassium_warnings import collect_warnings


def test_a_break_in_the_dynamics_is_told(tmp_path: Path) -> None:
    key = "a" * 64
    finished = Finished(key, values={"breaks": ["from segment 3 on: cpu A, now B"]}, files={})
    run = RunFacts(
        config=PotassiumDiffusionConfig(),
        workdir=tmp_path,
        store=Store(tmp_path / "store"),
        calculator=CalculatorSpec("pod"),
        verified={key: finished},
    )
    warnings = collect_warnings(run, data={}, cases={}, relaxed={}, dynamics={"control": [key]}, proof="")
    texts = [warning.text for warning in warnings if warning.severity == "amber"]
    assert "A break in the dynamics of control, from segment 3 on: cpu A, now B." in texts
