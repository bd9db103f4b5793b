"""The pages of single results: what they say first, what they draw, and in a browser."""

import numpy as np
import pytest
from ase.build import bulk
from browsing import check_quiet, loaded, turned, wait
from pages import check_sheet

from platonic_ase import PlatonicCalculator
from platonic_ase.audit import audit
from platonic_ase.calibrate.charts import bound_and_error, coverage_by_element, coverage_by_size
from platonic_ase.compare import compare, describe, make_views
from platonic_ase.compare.report import write_report as write_compare
from platonic_ase.phonons import run_phonon
from platonic_ase.phonons.animation import FRAMES, multiples
from platonic_ase.phonons.figures import drawings as phonon_drawings
from platonic_ase.report.audit import write_audit
from platonic_ase.report.charts import chart, line, panels, points
from platonic_ase.report.figures import save_drawings
from platonic_ase.report.html import chart_section, jump, viewer_section
from platonic_ase.report.sheet import Gallery, Group, sheet
from platonic_ase.report.verdict import Verdict
from platonic_ase.screen.page import write_summary
from platonic_ase.screen.rows import structure_of
from platonic_ase.stability.figures import drawings as forecast_drawings
from platonic_ase.stability.run import run_forecast
from platonic_ase.testing import DirectForceMock, DoubleWellCrystal, SpringEncoder, mock_anchors

NASTY = "</script><img src=x onerror='window.owned=1'><script>window.owned=1</script>"


def unstable():
    """Crystal whose symmetric structure is not the lowest, and a calculator that watches it."""
    inner = DoubleWellCrystal(2.0)
    encoder = SpringEncoder(inner)
    anchors = mock_anchors(encoder)
    calculator = PlatonicCalculator(
        inner, encoder=encoder, anchors=anchors, reference=None, phonon_risk=None
    )
    return inner.structure(), calculator


@pytest.fixture(scope="module")
def phonon_page(tmp_path_factory):
    path = tmp_path_factory.mktemp("phonon") / "phonon.html"
    atoms, calculator = unstable()
    run_phonon(
        atoms, calculator, supercell=(2, 2, 2), relax=False, report=path, progress=False,
        mesh=(3, 3, 3),
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def forecast_page(tmp_path_factory):
    path = tmp_path_factory.mktemp("forecast") / "forecast.html"
    run_forecast(*unstable(), relax=False, report=path, progress=False)
    return path


@pytest.fixture
def audit_page(tmp_path):
    record = audit(DirectForceMock(), bulk("Si", cubic=True)).to_dict()
    return write_audit({**record, "model": NASTY}, tmp_path / "audit.html")


@pytest.fixture
def screen_page(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        {
            "id": k, "name": f"s{k}" if k else NASTY, "error": None, "formula": "Cu", "n_atoms": 4,
            "space_group": "Fm-3m (225)", "space_group_after": None, "ended": "finished",
            "largest_force": float(10.0 ** rng.normal()), "events": {}, "covered": True,
            "not_covered": [], "risks": {}, "worst": {}, "platonic": rng.random(5).tolist(),
            "structure": structure_of(bulk("Cu", cubic=True)), "seconds": 1.0,
        }
        for k in range(60)
    ]  # fmt: skip
    rows.append({"id": 60, "name": "bad", "error": NASTY, "structure": None})
    return write_summary(rows, {"model": NASTY}, tmp_path / "summary.html", "largest_force")


@pytest.fixture(scope="module")
def compare_page(tmp_path_factory):
    """Two models that are the same up to rotation, and one that is not."""
    rng = np.random.default_rng(3)
    structures = [bulk("NaCl", "rocksalt", a=5 + 0.1 * k) for k in range(12)]
    points, axes = rng.normal(size=(24, 6)), rng.normal(size=(9, 6))
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    views = make_views(
        {"one": points, NASTY: points @ turn, "stranger": rng.normal(size=(24, 6))},
        {"one": axes, NASTY: axes @ turn, "stranger": rng.normal(size=(9, 6))},
        np.tile([11, 17], 12),
        np.repeat(np.arange(12), 2),
    )
    found = compare(
        views, describe(structures), k=3, n_resamples=10, n_permutations=30, progress=False
    )
    path = tmp_path_factory.mktemp("compare") / "compare.html"
    return write_compare(found, views, path, structures)


def force_bound_page(folder):
    rng = np.random.default_rng(0)
    bounds = 10 ** rng.normal(-1, 0.5, 3000)
    errors = bounds * rng.random(3000) * 1.1
    units = np.arange(3000) // 10
    numbers = np.repeat([11, 17, 8], 1000)
    within = errors <= bounds
    charts = {
        "bound": bound_and_error(errors, bounds),
        "sizes": coverage_by_size(bounds, within, units, 0.9),
        "elements": coverage_by_element(numbers, within, units, 0.9),
    }
    said = Verdict("quiet", "Covers", "Use it.", [])
    text = sheet("Bound", said, [chart_section(n, "", n) for n in charts], charts)
    path = folder / "bound.html"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sheet_says_first_what_happened_and_escapes_all(tmp_path):
    said = Verdict("alarm", NASTY, NASTY, [NASTY])
    charts = {"one": chart([line([0, 1], [float("nan"), 2], "@blue", name=NASTY)])}
    gallery = Gallery([Group(NASTY, [bulk("Cu")])], {NASTY: np.ones(1), "fine": np.ones(1)})
    sections = [chart_section(NASTY, NASTY, "one"), viewer_section(NASTY, NASTY), jump(0, NASTY)]
    text = sheet(NASTY, said, sections, charts, gallery)
    scene = check_sheet(text)
    assert text.index('class="verdict alarm"') < text.index('class="first"') < text.index("<h2>")
    assert scene["charts"]["one"]["traces"][0]["y"] == [None, 2.0]
    assert list(scene["chemiscope"]["properties"]) == ["fine"]
    assert scene["groups"] == [{"label": NASTY, "from": 0, "count": 1}]


def test_a_sheet_carries_only_what_it_draws_with():
    said = Verdict("quiet", "a", "b", [])
    assert len(sheet("no charts", said, ["<p>text</p>"])) < 40_000


def test_panels_stand_side_by_side_and_on_a_phone_one_below_the_other():
    made = panels([([points([1], [1], "@0")], "x", "y")] * 3)
    wide = [made["layout"][f"xaxis{k}"]["domain"] for k in ("", 2, 3)]
    tall = [made["narrow"][f"yaxis{k}"]["domain"] for k in ("", 2, 3)]
    assert wide[0][1] < wide[1][0] < wide[1][1] < wide[2][0]
    assert tall[0][0] > tall[1][1] > tall[1][0] > tall[2][1]
    assert [trace["xaxis"] for trace in made["traces"]] == ["x", "x2", "x3"]


def test_cells_that_a_wave_needs():
    assert multiples(np.array([0.0, 0.5, 1 / 3])) == [1, 2, 3]
    assert multiples(np.array([0.25, 0.2, -0.5])) == [4, 2, 2]


def test_imaginary_modes_are_animated_and_atoms_coloured_by_their_share(phonon_page):
    scene = check_sheet(phonon_page.read_text())
    assert {"bands", "thermal"} <= scene["charts"].keys()
    assert scene["groups"]
    assert all(group["count"] == FRAMES for group in scene["groups"])
    group, frames = scene["groups"][0], scene["chemiscope"]["structures"]
    z = np.array([[frames[k]["x"], frames[k]["y"], frames[k]["z"]] for k in range(FRAMES)])
    moved = np.linalg.norm(z - z.mean(axis=0), axis=1)
    assert moved.max() == pytest.approx(0.35, abs=1e-3)
    first, half = z[0] - z.mean(axis=0), z[FRAMES // 2] - z.mean(axis=0)
    np.testing.assert_allclose(first, -half, atol=1e-6)  # half a period later the other way
    share = np.array(scene["chemiscope"]["properties"]["share_in_mode"]["values"])
    own = share[: frames[0]["size"]]
    assert own[moved.max(axis=0).argmax()] == pytest.approx(own.max())
    assert group["label"].startswith("-")


def test_a_forecast_is_drawn_with_its_motions(forecast_page):
    text = forecast_page.read_text()
    scene = check_sheet(text)
    assert "ways" in scene["charts"]
    ways = len(scene["charts"]["ways"]["layout"]["yaxis"]["ticktext"])
    assert len(scene["groups"]) == ways
    assert text.count("data-group=") >= ways


def test_forecasts_and_phonons_are_drawn_for_papers_as_well(tmp_path):
    result = run_forecast(*unstable(), relax=False, progress=False)
    written = save_drawings(forecast_drawings(result), tmp_path, ("svg",))
    atoms, calculator = unstable()
    result = run_phonon(
        atoms, calculator, supercell=(2, 2, 2), relax=False, progress=False, mesh=(3, 3, 3)
    )
    written += save_drawings(phonon_drawings(result), tmp_path, ("svg",))
    assert {"ways.svg", "bands.svg", "thermal.svg"} <= {path.name for path in written}
    assert all("<svg" in path.read_text() for path in written)


def test_the_map_of_a_screening_points_to_structures(screen_page):
    scene = check_sheet(screen_page.read_text())
    assert len(scene["groups"]) == 50
    rings = scene["charts"]["map"]["traces"][1]
    assert sorted(rings["customdata"]) == list(range(50))
    assert set(scene["charts"]) == {"distributions", "map"}


def test_a_comparison_says_first_which_models_are_alike(compare_page):
    text = compare_page.read_text()
    check_sheet(text)
    first = text[text.index('id="verdict"') : text.index("<h2>")]
    assert "Most alike: one and &lt;/script&gt;" in first
    assert "share 100 % of the 3 atoms nearest to each atom" in first
    assert "stranger share no more than the elements explain" in first
    assert "do not carry" in first


@pytest.mark.slow
def test_atoms_of_a_comparison_show_their_structure(browser, compare_page):
    loaded(browser, compare_page)
    turned(browser)
    wait(browser, "document.body.dataset.shown", "0")
    point = browser.execute_script(
        "const host = document.querySelector('[data-chart=map-standardised]');"
        "const trace = host.data.find((t) => t.customdata.some((k) => k > 0));"
        "const at = trace.customdata.findIndex((k) => k > 0);"
        "host.emit('plotly_click', {points: [{customdata: trace.customdata[at]}]});"
        "return [trace.customdata[at], trace.hovertext[at]]"
    )
    wait(browser, "document.body.dataset.shown", str(point[0]))
    number = point[1].split("(")[-1].rstrip(")")
    assert f"structure {number}: NaCl, " in browser.find_element("id", "shown").text
    cells = "document.querySelector('[data-chart=likeness]').textContent"
    assert "1.00" in browser.execute_script(f"return {cells}")
    check_quiet(browser)


@pytest.mark.slow
def test_pages_draw_and_ask_for_nothing(
    browser, audit_page, screen_page, forecast_page, phonon_page, compare_page, tmp_path
):
    pages = (audit_page, screen_page, forecast_page, phonon_page, compare_page)
    for page in (*pages, force_bound_page(tmp_path)):
        loaded(browser, page)
        drawn = "document.querySelectorAll('[data-chart] .main-svg').length > 0"
        wait(browser, drawn, True)
        wait(browser, "document.querySelectorAll('[data-chart]:not([data-ready])').length", 0)
        assert browser.execute_script("return window.owned === undefined")
        check_quiet(browser)


@pytest.mark.slow
def test_points_and_buttons_show_structures(browser, screen_page):
    loaded(browser, screen_page)
    turned(browser)
    wait(browser, "document.body.dataset.shown", "0")
    browser.execute_script("document.querySelector('[data-group=\"7\"]').click()")
    wait(browser, "document.body.dataset.shown", "7")
    wait(browser, "document.querySelector('[data-group=\"7\"]').ariaPressed", "true")
    browser.execute_script(
        "document.querySelector('[data-chart=map]').emit('plotly_click',"
        "{points: [{customdata: 11}]})"
    )
    wait(browser, "document.body.dataset.shown", "11")
    assert browser.execute_script("return window.owned === undefined")
    check_quiet(browser)


@pytest.mark.slow
def test_a_mode_is_played_and_stopped(browser, phonon_page):
    loaded(browser, phonon_page)
    turned(browser)
    wait(browser, "document.body.dataset.frame", "0")
    browser.execute_script("document.querySelector('[data-play]').click()")
    wait(browser, "Number(document.body.dataset.frame) >= 2", True)
    browser.execute_script("document.querySelector('[data-stop]').click()")
    frame = "document.body.dataset.frame"
    browser.execute_script("await new Promise((done) => setTimeout(done, 1500))")
    before = browser.execute_script(f"return {frame}")
    browser.execute_script("await new Promise((done) => setTimeout(done, 1500))")
    assert browser.execute_script(f"return {frame}") == before
    check_quiet(browser)
