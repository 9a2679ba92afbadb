"""The HTML report in headless Chromium: it draws, plays and scrubs, complains about nothing, needs no network."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.replay_scenes import Fan, crossing_scene
from tools.chromium import Browser
from trajnet.cli.main import build
from trajnet.inference import ConstantTurnRate
from trajnet.replay.html_report import write_report
from trajnet.replay.replay import ReplayOptions
from trajnet.replay.summary import run_replay
from trajnet.scenes import write_scene
from trajnet.timing.clock import VirtualClock

pytestmark = pytest.mark.browser

SCENE_ID = "crossing </script><b>&amp;"
CANVAS = "document.getElementById('view')"

#: All pixels of the canvas as one number after the pending frame is drawn.
HASH = f"""new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {{
  const c = {CANVAS}, pixels = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  let hash = 0;
  for (let i = 0; i < pixels.length; i++) hash = (Math.imul(hash, 31) + pixels[i]) | 0;
  done(hash);
}})))"""

#: A point of the window where the canvas shows exactly this colour, well inside an area of it; null if there is none.
FIND = f"""((red, green, blue) => {{
  const c = {CANVAS}, box = c.getBoundingClientRect(), wide = c.width;
  const pixels = new Uint32Array(c.getContext("2d").getImageData(0, 0, wide, c.height).data.buffer);
  const wanted = (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
  for (let y = 2; y < c.height - 2; y++) for (let x = 2; x < wide - 2; x++) {{
    let all = true;
    for (const dy of [-1, 0, 1]) for (const dx of [-1, 0, 1]) all &&= pixels[(y + dy) * wide + x + dx] === wanted;
    if (all) return [box.left + x + 0.5, box.top + y + 0.5];
  }}
  return null;
}})"""
CAR_RGB = (0x2F, 0x6F, 0xED)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report on disk."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    scene = crossing_scene(8.0, scene_id=SCENE_ID)
    options = ReplayOptions(warmup_frames=3)
    write_report(run_replay(scene, Fan(np.arange(1.0, 7.0) * 0.5), options, clock=VirtualClock()), path)
    return path.as_uri()


@pytest.fixture
def still(browser: Browser, page: str) -> Iterator[Browser]:
    """The page, paused at 2 s; afterwards it must have complained about nothing and asked for nothing but itself."""
    browser.open(f"{page}#t=2&play=0")
    yield browser
    assert complaints(browser) == []
    assert [url for url in requests(browser) if not url.startswith((page, "data:"))] == []
    assert page in {url.split("#")[0] for url in requests(browser)}


def requests(browser: Browser) -> list[str]:
    return [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]


def complaints(browser: Browser) -> list[Any]:
    """Exceptions, failed loads, violations of the content policy, and whatever was written to the console."""
    kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Network.loadingFailed")
    found = [e for e in browser.events if e["method"] in kinds]
    return [e for e in found if "willReadFrequently" not in str(e)]  # about the pixels that these tests read back


def now_ms(browser: Browser) -> float:
    return float(browser.evaluate("Number(document.getElementById('scrub').value)"))


def press(browser: Browser, element: str) -> None:
    browser.evaluate(f"document.getElementById('{element}').click()")


def scrub(browser: Browser, to_ms: float) -> None:
    browser.evaluate(
        f"(() => {{ const s = document.getElementById('scrub'); s.value = {to_ms}; "
        "s.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )


def test_it_draws_the_scene(still: Browser) -> None:
    colours = still.evaluate(
        f"(() => {{ const c = {CANVAS}; return new Set(new Uint32Array("
        "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size; })()"
    )
    assert colours > 100
    assert still.evaluate(f"{FIND}{CAR_RGB}") is not None
    assert still.evaluate("document.getElementById('scene').textContent") == SCENE_ID
    assert still.evaluate("document.title").startswith(SCENE_ID)


def test_scrubbing_moves_the_scene_and_comes_back_to_the_same_picture(still: Browser) -> None:
    first = still.evaluate(HASH)
    scrub(still, 5000)
    assert still.evaluate(HASH) != first
    assert now_ms(still) == 5000
    assert still.evaluate("document.getElementById('clock').textContent") == "5.0 / 8.0 s"
    scrub(still, 2000)
    assert still.evaluate(HASH) == first


def test_it_plays_and_pauses(still: Browser) -> None:
    before = now_ms(still)
    press(still, "play")
    still.wait_for(f"Number(document.getElementById('scrub').value) > {before}")
    assert still.evaluate("document.getElementById('play').getAttribute('aria-label')") == "Pause"
    press(still, "play")
    assert still.evaluate("document.getElementById('play').getAttribute('aria-label')") == "Play"
    first, at_ms = still.evaluate(HASH), now_ms(still)
    assert (still.evaluate(HASH), now_ms(still)) == (first, at_ms)


def test_it_starts_to_play_by_itself(browser: Browser, page: str) -> None:
    browser.open(page)
    browser.wait_for("Number(document.getElementById('scrub').value) > 0")
    assert complaints(browser) == []


def test_keys(still: Browser) -> None:
    still.key("ArrowRight")
    still.evaluate(HASH)
    assert now_ms(still) == 2100
    still.key("ArrowLeft")
    still.key("ArrowLeft")
    still.evaluate(HASH)
    assert now_ms(still) == 1900
    still.key("ArrowRight", shift=True)
    still.evaluate(HASH)
    assert now_ms(still) == 2900
    still.key(" ")
    assert still.evaluate("document.getElementById('play').getAttribute('aria-label')") == "Pause"
    still.key(" ")
    assert still.evaluate("document.getElementById('play').getAttribute('aria-label')") == "Play"


def test_each_layer_can_be_switched(still: Browser) -> None:
    first = still.evaluate(HASH)
    layers = still.evaluate("[...document.querySelectorAll('#layers button')].map((b) => b.id)")
    assert layers == [f"layer-{n}" for n in ("lanes", "boxes", "history", "modes", "ellipses", "truth", "labels")]
    for layer in layers:
        pressed = f"document.getElementById('{layer}').getAttribute('aria-pressed')"
        was = still.evaluate(pressed)
        press(still, layer)
        assert still.evaluate(HASH) != first, layer
        assert still.evaluate(pressed) == ("false" if was == "true" else "true")
        press(still, layer)
        assert still.evaluate(HASH) == first, layer


def test_hover_names_an_object_and_a_click_shows_its_details(still: Browser) -> None:
    x, y = still.evaluate(f"{FIND}{CAR_RGB}")
    still.mouse("mouseMoved", x, y)
    still.wait_for("!document.getElementById('tip').hidden")
    tip = still.evaluate("document.getElementById('tip').textContent")
    assert tip.startswith("car car-")
    assert tip.endswith("model 60 %")
    still.click(x, y)
    still.wait_for("!document.getElementById('detail').hidden")
    detail = still.evaluate("document.getElementById('detail').innerText")
    for expected in ("car-", "4.6 × 1.9 m", "model", "60 %", "30 %", "10 %"):
        assert expected in detail
    still.key("Escape")
    still.wait_for("document.getElementById('detail').hidden")


def test_zoom_pan_and_fit(still: Browser) -> None:
    first = still.evaluate(HASH)
    still.mouse("mouseWheel", 300, 300, deltaX=0, deltaY=-400)
    still.wait_for("true")
    zoomed = still.evaluate(HASH)
    assert zoomed != first
    still.mouse("mousePressed", 300, 300, button="left", clickCount=1)
    still.mouse("mouseMoved", 340, 320, button="left", buttons=1)
    still.mouse("mouseReleased", 340, 320, button="left", clickCount=1)
    still.mouse("mouseMoved", 1, 1)
    assert still.evaluate(HASH) != zoomed
    still.key("f")
    assert still.evaluate(HASH) == first


def test_light_and_dark(browser: Browser, page: str) -> None:
    shade = "getComputedStyle(document.documentElement).backgroundColor"
    browser.open(f"{page}#play=0", dark=True)
    dark, drawn = browser.evaluate(shade), browser.evaluate(HASH)
    assert dark == "rgb(12, 17, 23)"
    press(browser, "theme")
    assert browser.evaluate(shade) != dark
    assert browser.evaluate(HASH) != drawn
    assert complaints(browser) == []


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720), (820, 1180), (390, 844), (320, 568)])
def test_it_fits_the_window(browser: Browser, page: str, width: int, height: int) -> None:
    browser.open(f"{page}#t=2&play=0", width=width, height=height)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    box = browser.evaluate(
        f"(({{ left, right, width, height }}) => [left, right, width, height])({CANVAS}.getBoundingClientRect())"
    )
    assert box[0] >= 0
    assert box[1] <= width
    assert min(box[2:]) >= 240
    outside = browser.evaluate(
        f"""[...document.querySelectorAll('button, select, input, .tile, .card, svg')].filter((e) => {{
          const box = e.getBoundingClientRect();
          return box.width && (box.right > {width} + 1 || box.left < -1);
        }}).map((e) => e.id || String(e.className))"""
    )
    assert outside == []
    if width >= 390:  # below that, tables scroll sideways
        cut = "[...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth).length"
        assert browser.evaluate(cut) == 0
    assert complaints(browser) == []


def test_the_panel_shows_the_figures(still: Browser) -> None:
    text = still.evaluate("document.querySelector('.panel').innerText")
    for expected in ("p50", "p95", "p99", "track update", "best of 3", "const. velocity", "pedestrian", "Model card"):
        assert expected.lower() in text.lower()
    bars = still.evaluate("document.querySelectorAll('#histogram rect').length")
    assert bars >= 1
    still.evaluate("document.querySelector('[data-stage=model]').click()")
    assert still.evaluate("document.querySelector('[data-stage=model]').getAttribute('aria-pressed')") == "true"
    assert still.evaluate("document.querySelector('#card pre').innerHTML").count("&lt;b&gt;") == 1


def test_the_screenshot_tool_makes_a_picture_of_the_size_asked_for(
    browser: Browser, page: str, tmp_path: Path, root: Path
) -> None:
    picture = tmp_path / "images" / "report.png"
    command = [sys.executable, str(root / "tools" / "screenshot.py"), page.removeprefix("file://"), str(picture)]
    done = subprocess.run([*command, "--size", "900x700"], capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:]) == (900, 700)


def test_an_address_leads_to_an_object_at_a_time_and_a_new_one_to_another(still: Browser) -> None:
    still.open(f"{still_page(still)}#t=3.2&track=car-0&play=0")
    still.wait_for("!document.getElementById('detail').hidden")
    assert now_ms(still) == 3200
    context = f"{CANVAS}.getContext('2d')"
    middle = f"[...{context}.getImageData({CANVAS}.width / 2 - 2, {CANVAS}.height / 2, 1, 1).data]"
    close = still.evaluate(HASH)
    assert "car-0" in still.evaluate("document.getElementById('detail').innerText")
    assert still.evaluate(middle)[:3] != [238, 241, 244]  # not the ground: the car is there
    still.evaluate("location.hash = '#t=5&track=car-1&play=0'")
    still.wait_for("document.getElementById('detail').innerText.includes('car-1')")
    assert now_ms(still) == 5000
    assert still.evaluate(HASH) != close


def still_page(browser: Browser) -> str:
    return str(browser.evaluate("location.href.split('#')[0]"))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report of two models beside each other."""
    path = tmp_path_factory.mktemp("compared") / "both.html"
    scene, options = crossing_scene(8.0, scene_id="crossing"), ReplayOptions(warmup_frames=3)
    time_s = np.arange(1.0, 7.0) * 0.5
    first, second = (
        run_replay(scene, model, options, clock=VirtualClock()) for model in (Fan(time_s), ConstantTurnRate(time_s))
    )
    write_report(first, path, others=[second])
    return path.as_uri()


#: The pixels of every canvas as one number each.
HASHES = HASH.replace(
    "const c = " + CANVAS + ", pixels",
    "const hashed = [...document.querySelectorAll('canvas')].map((c) => { const pixels",
).replace("done(hash);", "return hash; }); done(hashed);")


def test_two_models_share_time_place_layers_and_selection(browser: Browser, compared: str) -> None:
    browser.open(f"{compared}#t=2&play=0")
    names = "[...document.querySelectorAll('.pane .model')].map((e) => e.textContent)"
    assert browser.evaluate(names) == ["fan", "ctrv"]
    first = browser.evaluate(HASHES)
    assert len(first) == 2
    assert first[0] != first[1]
    scrub(browser, 5000)
    later = browser.evaluate(HASHES)
    assert later[0] != first[0]
    assert later[1] != first[1]
    scrub(browser, 2000)
    assert browser.evaluate(HASHES) == first
    browser.mouse("mouseWheel", 300, 300, deltaX=0, deltaY=-400)
    browser.wait_for("true")
    zoomed = browser.evaluate(HASHES)
    assert zoomed[0] != first[0]
    assert zoomed[1] != first[1]
    browser.mouse("mouseMoved", 1, 1)
    browser.key("f")
    assert browser.evaluate(HASHES) == first
    press(browser, "layer-modes")  # without paths both show the same
    press(browser, "layer-ellipses")
    same = browser.evaluate(HASHES)
    assert same[0] == same[1]
    x, y = browser.evaluate(f"{FIND}{CAR_RGB}")
    browser.click(x, y)
    browser.wait_for("!document.getElementById('detail').hidden")
    detail = browser.evaluate("document.getElementById('detail').innerText")
    assert "fan" in detail
    assert "ctrv" in detail
    assert complaints(browser) == []


def test_the_figures_of_two_models_are_in_one_table_and_the_panel_shows_either(browser: Browser, compared: str) -> None:
    browser.open(f"{compared}#t=2&play=0", width=1600, height=900)
    head = browser.evaluate("[...document.querySelectorAll('#compare-table th')].map((e) => e.textContent)")
    assert head == ["", "fan", "ctrv", "constant velocity"]
    labels = browser.evaluate(
        "[...document.querySelectorAll('#compare-table tbody tr')].map((e) => e.cells[0].textContent)"
    )
    for expected in ("all, top ADE", "car, top ADE", "jump, m", "p99, ms"):
        assert expected in labels
    box = "document.getElementById('compare-table').parentElement"
    assert browser.evaluate(f"{box}.scrollWidth <= {box}.clientWidth")
    contract = "document.getElementById('contract').innerText"
    assert "physics" not in browser.evaluate(contract)
    browser.evaluate("document.querySelector('[data-model=\"1\"]').click()")
    assert "physics, nothing learned" in browser.evaluate(contract)
    assert browser.evaluate("document.querySelector('[data-model=\"1\"]').getAttribute('aria-pressed')") == "true"
    assert browser.evaluate("document.getElementById('card').hidden")
    assert complaints(browser) == []


def test_the_page_of_the_worst_objects_leads_to_their_replays(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    write_scene(crossing_scene(8.0), tmp_path / "scenes" / "a crossing.parquet")
    arguments = [
        "evaluate",
        "--dataset",
        "scenes",
        "--data",
        str(tmp_path / "scenes"),
        "--model",
        "ctrv",
        "--jobs",
        "1",
    ]
    made = [*arguments, "--horizon", "2", "--stride", "10", "--worst", "3", "--report", str(tmp_path / "worst.html")]
    result = CliRunner().invoke(build(), made)
    assert result.exit_code == 0, result.output
    browser.open((tmp_path / "worst.html").as_uri())
    assert complaints(browser) == []
    cards = "[...document.querySelectorAll('.card')].filter((e) => e.querySelector('h3 a'))"
    assert browser.evaluate(f"{cards}.length") == 6  # of errors and of surprise; nobody stands
    picture = "document.querySelector('.card svg').outerHTML"
    assert "100%" in browser.evaluate(picture)
    assert browser.evaluate(f"{cards}.every((e) => e.scrollWidth <= e.clientWidth)")
    title = browser.evaluate(f"{cards}[0].querySelector('h3').textContent")
    browser.open(browser.evaluate(f"{cards}[0].querySelector('a').href"))
    browser.wait_for("!document.getElementById('detail').hidden")
    _, track, where = title.split(" · ")
    assert browser.evaluate("document.querySelector('#detail header span').textContent") == track
    assert now_ms(browser) == pytest.approx(1000 * float(where.removeprefix("crossing, ").removesuffix(" s")), abs=50)
    assert "error, mean / final" in browser.evaluate("document.getElementById('detail').innerText")
    assert complaints(browser) == []
