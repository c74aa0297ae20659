"""The page of a history in a real browser: read, moved through by keys, never run."""

from __future__ import annotations

import pytest
from browsers import Watched, open_browser
from histories import figures, provenance, run

from pytest_raq.history.trends import make_history
from pytest_raq.report.page.history import trend_page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!-- \x1b \u202e"
MODELS = ("one", "two", HOSTILE[:40])


def made(count):
    runs = [
        run(
            number,
            *(
                figures(name, decode_tokens_per_second=(400 + number * 7 % 5) * slow)
                for name in MODELS
            ),
            provenance=provenance(MODELS, build="2" if slow < 1 else "1"),
            accepted=number == 3,
            reason=HOSTILE,
        )
        for number in range(count)
        for slow in [0.88 if number >= count * 0.7 else 1.0]
    ]
    return trend_page([make_history("mini", runs, place="store.db")])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("history") / "page.html"
    path.write_text(made(40), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("columns", [360, 1440])
def test_the_page_is_quiet_accessible_and_fits(browser, path, scheme, columns):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    watched = Watched(
        browser, viewport={"width": columns, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    page = watched.open(path)
    found = axe.Axe().run(page).response["violations"]
    assert [rule["id"] for rule in found if rule["impact"] in {"serious", "critical"}] == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= columns
    assert watched.messages == []
    assert watched.requests == [path.as_uri()]
    watched.close()


def test_arrow_keys_lead_through_the_runs(browser, path):
    watched = Watched(browser, viewport={"width": 1280, "height": 900})
    page = watched.open(path)
    chart = page.locator('figure[data-measure="decode_tokens_per_second"]')
    readout = chart.locator(".readout")
    assert readout.inner_text().startswith("Point at a run")
    chart.locator("svg").focus()
    assert readout.inner_text().startswith("2026-12-10 12:00 000027: one 355, two 355")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert readout.inner_text().startswith("2026-11-04 12:00 000003: one 401")
    assert "baseline accepted: </script>" in readout.inner_text()
    chart.locator("svg").hover()
    assert readout.inner_text()[:8] == "2026-11-"
    assert watched.messages == []
    watched.close()


def test_a_long_history_opens_quickly(browser, tmp_path):
    path = tmp_path / "long.html"
    path.write_text(made(1000), encoding="utf-8")
    watched = Watched(browser, viewport={"width": 1280, "height": 900})
    page = watched.open(path)
    page.locator("summary").click()
    assert page.locator("tbody tr").count() == 1000
    timing = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert timing < 10_000  # a second where nothing else runs
    watched.close()
