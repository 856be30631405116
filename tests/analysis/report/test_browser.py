"""The page as Chromium shows it, without a network: no error, plots drawn, atoms that move."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.report import ViewerData, write_report
from analysis.results import Results
from tests.analysis.report.interface_example import build_molecule_viewer, build_observables

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--enable-unsafe-swiftshader",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--ignore-gpu-blocklist",
    "--window-size=1000,700",
    "--mute-audio",
)
WAIT_S = 120

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium to look at the report: apt-get install chromium (or set it on the PATH)"
)


class Browser:
    """A headless Chromium spoken to over two pipes, in its own debugging protocol."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        to_read, self._to = os.pipe()
        self._from, from_write = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on descriptor 4.
        script = f'exec 3<&{to_read} 4>&{from_write}; exec "$0" "$@"'
        command = ["bash", "-c", script, CHROMIUM, *FLAGS, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            command, pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_read)
        os.close(from_write)
        self._numbers = itertools.count(1)
        self._buffer = b""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = ""
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session := getattr(self, "_session", ""):
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._from, 1 << 20)
            assert chunk, "Chromium went away"
            self._buffer += chunk
        raw, self._buffer = self._buffer.split(b"\0", 1)
        answer: dict[str, Any] = json.loads(raw)
        return answer

    def open(self, path: Path, *, width: int = 1000, dark: bool = False) -> None:
        self.events.clear()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[theme])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=700, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete' && document.documentElement.dataset.plots !== undefined")

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - JSON
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        poll = (
            "new Promise((done, fail) => {"
            f" const end = Date.now() + {WAIT_S * 1000};"
            " const look = () => {"
            f" if ({condition}) done(true);"
            " else if (Date.now() > end) fail(new Error('waited in vain'));"
            " else setTimeout(look, 100);"
            " }; look(); })"
        )
        assert self.evaluate(poll)

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, and requests for anything but the page itself and its own data."""
        found = []
        for event in self.events:
            params = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(json.dumps(params["exceptionDetails"]))
            if event.get("method") == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning", "assert"}:
                found.append(json.dumps(params["args"]))
            if event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
                found.append(json.dumps(params["entry"]))
            if event.get("method") == "Network.requestWillBeSent":
                url = str(params["request"]["url"])
                if not url.startswith(("file:", "data:", "blob:")):
                    found.append(url)
        return found

    def close(self) -> None:
        os.close(self._to)
        os.close(self._from)
        self._process.terminate()
        self._process.wait(timeout=30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # A profile that Chromium still writes to when it ends must not fail the test.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        started = Browser(Path(profile))
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(
    make_results: Callable[..., Results],
    make_viewer: Callable[..., ViewerData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    viewer = make_viewer(n_frames=4, repeats=(4, 2, 2))
    return write_report(make_results(), viewer=viewer, directory=tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(browser: Browser, report: Path) -> Browser:
    """The report in the light theme at the size of a small laptop; the tests below share it, in their order."""
    browser.open(report)
    return browser


def test_plots_are_drawn_and_nobody_complains(page: Browser) -> None:
    assert page.evaluate("document.documentElement.dataset.plots") == "drawn"
    count = "(canvas) => canvas.querySelectorAll('svg .trace, svg .hm').length"
    drawn = page.evaluate(f"[...document.querySelectorAll('.canvas')].map({count})")
    assert len(drawn) == 11
    assert all(number > 0 for number in drawn)
    assert page.complaints() == []


def test_a_region_is_chosen_by_its_button(page: Browser) -> None:
    figure = "document.querySelector('figure[data-plot=\"4\"]')"
    before = page.evaluate(f"{figure}.querySelector('.canvas').data[2].y[70]")
    page.evaluate(f"{figure}.querySelector('[data-figure=\"2\"]').click()")
    page.wait(f"{figure}.querySelector('.canvas').data[2].y[70] !== {before}")
    assert page.evaluate(f"{figure}.querySelector('[aria-pressed=true]').textContent") == "core"


def test_the_viewer_draws_atoms_that_move(page: Browser) -> None:
    assert page.evaluate("document.querySelectorAll('#viewer canvas').length") == 0
    page.evaluate("document.getElementById('viewer-load').click()")
    page.wait("document.documentElement.dataset.viewer !== undefined")
    assert page.evaluate("document.documentElement.dataset.viewer") == "drawn"
    assert page.evaluate("document.querySelectorAll('.scene canvas').length") == 2
    assert page.evaluate("document.getElementById('viewer-time').textContent") == "30.00 ps"
    shot = "document.querySelector('.scene canvas').toDataURL()"
    step = f"(() => {{ document.getElementById('viewer-next').click(); return {shot}; }})()"
    first, second = page.evaluate(step), page.evaluate(step)
    assert page.evaluate("document.getElementById('viewer-time').textContent") == "10.00 ps"
    assert len(base64.b64decode(first.split(",")[1])) > 2000
    assert first != second
    change = (
        "(() => {{ const chooser = document.getElementById('viewer-{}'); chooser.value = '{}';"
        " chooser.dispatchEvent(new Event('change')); return {}; }})()"
    )
    coloured = page.evaluate(change.format("colour", "region", shot))
    hidden = page.evaluate(change.format("alloy", "hidden", shot))
    assert len({second, coloured, hidden}) == 3
    page.evaluate(change.format("case", "control", "1"))
    assert page.evaluate("document.querySelectorAll('.scene canvas').length") == 1
    assert page.complaints() == []


def test_downloads_hold_the_data(page: Browser) -> None:
    page.evaluate(
        "window.saved = []; URL.createObjectURL = (blob) => { window.saved.push(blob); return '#'; };"
        "HTMLAnchorElement.prototype.click = function () { window.names = [...(window.names ?? []), this.download]; };"
    )
    page.evaluate("document.querySelector('[data-plot=\"1\"] [data-save=csv]').click()")
    csv = page.evaluate("window.saved[0].text()").splitlines()
    assert csv[0].startswith("time_ps (dislocation),depth_A (dislocation)")
    assert len(csv) == 122
    page.evaluate("document.querySelector('[data-plot=\"1\"] [data-save=svg]').click()")
    page.wait("window.names.length > 1")
    svg = page.evaluate("window.saved[window.saved.length - 1].text()")
    assert svg.startswith("<svg")
    assert "depth / Å" in svg
    assert page.evaluate("window.names") == ["penetration.csv", "penetration.svg"]


def test_a_phone_in_the_dark_and_its_print(browser: Browser, report: Path) -> None:
    browser.open(report, width=390, dark=True)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 21, 26)"
    title = "getComputedStyle(document.querySelector('.xtitle')).fill"
    assert browser.evaluate(title) == "rgb(232, 235, 239)"
    browser.evaluate("document.getElementById('theme').click()")
    browser.wait(f"{title} === 'rgb(27, 31, 36)'")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    pdf = base64.b64decode(browser.call("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 100_000
    assert browser.complaints() == []


def test_molecules_are_drawn_with_their_bonds(browser: Browser, tmp_path: Path) -> None:
    results = Results("any", "completed", observables=build_observables())
    browser.open(write_report(results, viewer=build_molecule_viewer(), directory=tmp_path))
    drawn = "[...document.querySelectorAll('.canvas')].map((canvas) => canvas.querySelectorAll('svg .trace').length)"
    assert len(browser.evaluate(drawn)) == 9
    assert all(number > 0 for number in browser.evaluate(drawn))
    browser.evaluate("document.getElementById('viewer-load').click()")
    browser.wait("document.documentElement.dataset.viewer === 'drawn'")
    shot = "document.querySelector('.scene canvas').toDataURL()"
    sticks = browser.evaluate(shot)
    stepped = browser.evaluate(f"(() => {{ document.getElementById('viewer-back').click(); return {shot}; }})()")
    balls = browser.evaluate(
        "(() => { const chooser = document.getElementById('viewer-molecules'); chooser.value = 'balls';"
        f" chooser.dispatchEvent(new Event('change')); return {shot}; }})()"
    )
    assert len({sticks, stepped, balls}) == 3
    assert browser.complaints() == []


def test_without_webgl_the_page_says_so(
    browser: Browser, make_viewer: Callable[..., ViewerData], tmp_path: Path
) -> None:
    viewer = make_viewer(n_frames=2, repeats=(2, 1, 1))
    browser.open(write_report(Results("x", "completed"), viewer=viewer, directory=tmp_path))
    browser.evaluate("HTMLCanvasElement.prototype.getContext = () => null")
    browser.evaluate("document.getElementById('viewer-load').click()")
    browser.wait("document.documentElement.dataset.viewer !== undefined")
    assert browser.evaluate("document.documentElement.dataset.viewer") == "failed"
    assert "WebGL is off" in browser.evaluate("document.getElementById('viewer-message').textContent")


def test_planted_script_does_not_run(browser: Browser, make_results: Callable[..., Results], tmp_path: Path) -> None:
    attack = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
    msd = {"msd": make_results().observables["cases"]["control"]["msd"]}
    evil = Results(attack, "completed", observables={"cases": {attack: msd | {"label": attack}}}, methods=(attack,))
    browser.open(write_report(evil, viewer=None, directory=tmp_path))
    assert browser.evaluate("document.documentElement.dataset.plots") == "drawn"
    assert browser.evaluate("window.hacked === undefined")
    assert browser.complaints() == []
