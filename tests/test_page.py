"""The page of a run in a real browser: found, opened, read aloud, printed, never run."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from browsers import Watched, open_browser
from made_results import make_answers, make_questions, make_result

from pytest_raq.report.page import data as page_data
from pytest_raq.report.page.suite import PageSuite, page_html

RTL = "\u202egnp.exe\u202c"
HOSTILE = (
    "<script>alert(1)</script></script></style><img src=x onerror=alert(2)>"
    f" <!-- \" ' & &amp; {{{{7*7}}}} \x1b[31mred\x1b[0m {RTL} \x00 \u2028 \ud800 end"
)
LONG = "word " * 20_000
MODELS = {"good": 0.95, "worse": 0.3, HOSTILE[:30]: 0.5}
JUDGE = {
    "judges": ["a", "b"],
    "ranks": {
        "q00001": {"a": {"now:good": 1, "now:worse": 2}, "b": {"now:good": 2, "now:worse": 1}},
        "q00002": {"a": {"now:good": 1, "now:worse": 2}, "b": {"now:good": 1, "now:worse": 1}},
    },
    "check": {
        "a": {"cases": 16, "accuracy": {"count": 14, "total": 16, "interval": {"low": 0.6}}},
    },
    "agreement": {"kendall_w": 0.8125, "pairs": [{"first": "a", "second": "b", "tau": 0.5}]},
    "problems": ["the judge a <b>is not</b> trusted"],
    "notes": ["a note on judges"],
}


@pytest.fixture(scope="module")
def result():
    questions = make_questions(60, 12)
    now = make_answers(questions, MODELS, 1)
    before = make_answers(questions, dict.fromkeys(MODELS, 0.9), 2)
    hostile = HOSTILE[:30]
    now["q00003"] = {"good": HOSTILE, "worse": LONG, hostile: ""}
    before["q00003"] = {"good": "a plain answer", "worse": LONG + "more", hostile: "text"}
    now["q00004"]["good"] = f"It was not built in {questions[4].references[0]}"
    before["q00004"]["good"] = f"It was built in {questions[4].references[0]}"
    del now["q00005"]["worse"]
    questions[6] = replace(questions[6], passage="")
    questions[7] = replace(questions[7], references=("in the mill",), answerable=False)
    made = make_result(questions, now, before, suite="mini")
    thought = {"good": f"It asks <b>when</b>. {HOSTILE}", "worse": "Hm"}
    items = list(made.questions)
    said = {**items[8].answers, "worse": ""}
    items[8] = replace(items[8], answers=said, reasoning=thought, unfinished=("worse",))
    return replace(made, questions=tuple(items))


@pytest.fixture(scope="module")
def path(result, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    html = page_html([PageSuite(result, JUDGE)], {"Run": "20260102", "Commit": "3f2a1c"})
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture
def watch(browser):
    opened = []

    def watch(**context):
        opened.append(Watched(browser, **context))
        return opened[-1]

    yield watch
    for watched in opened:
        watched.close()


@pytest.fixture
def page(watch, path):
    watched = watch(viewport={"width": 1280, "height": 900})
    yield watched.open(path)
    assert watched.messages == []
    assert [url for url in watched.requests if not url.startswith("data:")] == [path.as_uri()]


def told(page):
    return page.inner_text("#told-0")


def shown(page):
    return page.locator(".opener").all_inner_texts()


def chip(page, state):
    return page.locator(f"button[data-state={state}]")


def opener(page, index):
    return page.locator(f".opener[data-index='{index}']")


def opened(page, index):
    opener(page, index).click()
    return page.locator(f"#detail-0-{index}")


def test_the_page_says_what_happened(page):
    assert page.title() == "mini: relative answer quality"
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.inner_text("header .conclusion").startswith("Regression: worse")
    assert page.locator(".facts").inner_text().split() == ["Run", "20260102", "Commit", "3f2a1c"]
    badges = page.locator(".verdicts .badge").all_inner_texts()
    assert "✗ regression" in badges
    levels = page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.locator("figure svg[role=img]").count() == 9
    assert "14 of 16" in page.inner_text("text=14 of 16")
    assert page.locator("p", has_text="a note on judges").count() == 1
    assert page.locator("p.bad", has_text="the judge a <b>is not</b> trusted").count() == 1


def test_questions_are_searched_and_filtered(page, result):
    assert told(page) == "60 of 60 questions"
    assert len(shown(page)) == 50
    for state, sign in (("worse", -1), ("better", 1)):
        chip(page, state).click()
        count = sum(sign in item.preferences.values() for item in result.questions)
        assert told(page) == f"{count} of 60 questions"
        assert chip(page, state).inner_text().endswith(f" {count}")
        assert chip(page, state).get_attribute("aria-pressed") == "true"
    page.locator("label:has-text('Model') select").select_option("good")
    count = sum(item.preferences.get("good") == 1 for item in result.questions)
    assert told(page) == f"{count} of 60 questions"
    chip(page, "missing").click()
    assert told(page) == "0 of 60 questions"
    assert page.inner_text(".questions tbody") == "No question fits."
    page.locator("label:has-text('Model') select").select_option("worse")
    assert told(page) == "1 of 60 questions"
    page.click("text=Reset")
    chip(page, "disagree").click()
    assert told(page) == "1 of 60 questions"
    page.click("text=Reset")
    place = result.questions[4].question.title.split()[0]
    page.fill("input[type=search]", f"  MILL   {place.lower()} ")
    asked = [item.question.question for item in result.questions]
    assert shown(page) == [text for text in asked if "mill" in text and place in text]
    page.fill("input[type=search]", "<script>alert(1)")
    assert told(page) == "1 of 60 questions"
    page.click("text=Reset")
    page.locator("label:has-text('Passage') select").select_option("3")
    assert told(page) == "5 of 60 questions"


def test_tied_means_compared_and_neither_worse_nor_better(page, result):
    chip(page, "tied").click()
    count = sum(set(item.preferences.values()) == {0} for item in result.questions)
    assert told(page) == f"{count} of 60 questions"


def test_questions_are_sorted_and_turned(page, result):
    page.click("thead button:has-text('Question')")
    texts = shown(page)
    assert texts == sorted(texts, key=lambda text: [_number(part) for part in text.split()])
    page.click("thead button:has-text('worse')")
    column = page.locator(".questions thead th", has_text="worse")
    assert column.get_attribute("aria-sort") == "descending"
    ranks = [
        float(re.findall(r"[\d.]+", text)[-1])
        for text in page.locator("tr.item td:nth-child(5)").all_inner_texts()
    ]
    assert ranks == sorted(ranks, reverse=True)
    page.click("text=Reset")
    page.click("button:has-text('Next')")
    assert page.inner_text(".pages p") == "51–60 of 60"
    assert shown(page) == [item.question.question for item in result.questions[50:]]
    assert page.locator("button:has-text('Next')").is_disabled()
    page.locator(".pages select").select_option("100")
    assert len(shown(page)) == 60


def _number(text):
    return (0, int(text), "") if text.isdigit() else (1, 0, text)


def test_a_row_opens_to_passage_and_answers(page, result):
    item = result.questions[4]
    detail = opened(page, 4)
    assert opener(page, 4).get_attribute("aria-expanded") == "true"
    assert opener(page, 4).get_attribute("aria-controls") == "detail-0-4"
    assert detail.locator("p.passage").inner_text() == item.question.passage
    assert set(detail.locator("mark").all_inner_texts()) == set(item.question.references)
    answer = detail.locator(".answers > li").first
    assert f"rank {item.ranks['good']:g}" in answer.inner_text()
    assert answer.locator("ins").all_inner_texts() == ["not "]
    assert answer.locator("del").count() == 0
    assert answer.locator("dd").all_inner_texts() == [
        item.answers["good"],
        item.baseline_answers["good"],
    ]
    opener(page, 4).click()
    assert detail.count() == 0
    assert opener(page, 4).get_attribute("aria-expanded") == "false"


def test_an_open_row_stays_open_while_others_are_filtered(page):
    opened(page, 1)
    chip(page, "disagree").click()
    detail = page.locator("#detail-0-1")
    assert detail.locator("table tr").all_inner_texts()[1:] == ["a\t1\t2\t–", "b\t2\t1\t–"]


def test_an_answer_that_is_missing_says_why(page):
    detail = opened(page, 5)
    assert "no answer: no answer" in detail.locator(".answers > li").nth(1).inner_text()


def test_a_question_without_passage_or_answer_says_so(page):
    assert "asked without a passage" in opened(page, 6).inner_text()
    detail = opened(page, 7)
    assert "in the mill (the passage does not tell)" in detail.inner_text()
    assert detail.locator("mark").count() == 0


def test_a_verdict_leads_to_its_questions(page, result):
    count = sum(item.preferences.get("worse") == -1 for item in result.questions)
    page.click(f"text=Show the {count} questions answered worse")
    assert told(page) == f"{count} of 60 questions"
    assert page.evaluate("document.activeElement.id") == "questions-0"


def test_everything_is_reached_by_keyboard(page):
    press = page.keyboard.press
    press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    press("Enter")
    assert page.evaluate("document.activeElement.id") == "questions-0"
    press("Tab")
    page.keyboard.type("bridge")
    assert 0 < len(shown(page)) < 60
    for _ in range(40):
        press("Tab")
        if page.evaluate("document.activeElement.className") == "opener":
            break
    first = page.evaluate("document.activeElement.dataset.index")
    press("Enter")
    assert page.locator(f"#detail-0-{first}").is_visible()
    press("ArrowDown")
    second = page.evaluate("document.activeElement.dataset.index")
    assert second != first
    press("Space")
    assert page.locator(f"#detail-0-{second}").is_visible()
    press("ArrowUp")
    press("Enter")
    assert page.locator(f"#detail-0-{first}").count() == 0
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_only_what_scrolls_is_a_stop(page):
    wide = page.locator(".scroll[tabindex]").count()
    page.set_viewport_size({"width": 360, "height": 900})
    page.wait_for_function(f"document.querySelectorAll('.scroll[tabindex]').length > {wide}")
    table = page.locator(".scroll:has(table.models)")
    assert table.get_attribute("role") == "region"
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function(f"document.querySelectorAll('.scroll[tabindex]').length == {wide}")
    assert table.get_attribute("tabindex") is None


def test_hostile_text_is_text(page):
    detail = opened(page, 3)
    answer = detail.locator(".answers > li").first.locator("dd").first
    text = answer.inner_text()
    assert "<script>alert(1)</script></script></style><img src=x onerror=alert(2)>" in text
    assert "<!-- \" ' & &amp; {{7*7}}" in text
    assert "␛[31mred␛[0m U+202Egnp.exeU+202C ␀ U+2028 U+D800 end" in text
    assert answer.locator("img, script, style").count() == 0
    assert page.locator("script").count() == 1  # the data went when it was read
    assert answer.locator("bdi.text").evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"
    assert "\u202e" not in page.content()
    assert HOSTILE[:30] in page.inner_text(".verdicts")


def test_reasoning_is_folded_below_its_answer(page):
    good, worse, other = opened(page, 8).locator(".answers > li").all()
    assert not good.locator(".thought").is_visible()
    good.locator("summary").click()
    assert good.locator(".thought").inner_text().startswith("It asks <b>when</b>. <script>")
    assert "no answer: it ended inside its reasoning" in worse.inner_text()
    assert worse.locator("summary").inner_text() == "Reasoning before the answer (1 word)"
    assert good.locator("b, script").count() + other.locator("details").count() == 0


def test_a_long_answer_is_shown_when_asked_for(page):
    detail = opened(page, 3)
    answer = detail.locator(".answers > li").nth(1)
    now = answer.locator("dd").first
    assert len(now.locator(".text").inner_text()) <= 3000
    now.locator("text=Show all 100,000 characters").click()
    assert now.locator(".text").text_content() == LONG
    accepted = answer.locator("dd").nth(1)
    accepted.locator("button").click()
    assert accepted.locator("del").inner_text() == "more"
    assert "(empty)" in detail.locator(".answers > li").nth(2).inner_text()


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_sticks_out(watch, path, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    watched = watch(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = watched.open(path)
    for index in (1, 2, 3, 4, 5):
        opened(page, index)
    page.locator("label:has-text('Passage') select").select_option("3")
    page.click("thead button:has-text('Change')")
    page.click("summary")
    assert 5 <= page.locator(".opener").count() < 10  # more rows tell axe nothing new
    page.fill("input[type=search]", "")
    found = axe.run(page).response["violations"]
    assert [(item["id"], item["nodes"][0]["html"]) for item in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 24, 29)")
    assert watched.messages == []


def test_the_name_of_a_fact_stays_on_one_line(watch, result, tmp_path):
    facts = {"Run": "1", "Options": "--raq-swap reader-llama=models/reader-llama-early-q8_0.gguf"}
    made = tmp_path / "facts.html"
    made.write_text(page_html([PageSuite(result, JUDGE)], facts), encoding="utf-8")
    page = watch(viewport={"width": 320, "height": 900}).open(made)
    heights = page.evaluate("[...document.querySelectorAll('.facts dt')].map(d => d.clientHeight)")
    assert len(set(heights)) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_what_matters_is_there_without_a_script(watch, path):
    page = watch(java_script_enabled=False).open(path)
    assert page.inner_text("header .conclusion").startswith("Regression")
    assert page.locator("figure svg").count() == 9
    assert page.locator("table.models tbody tr").count() == 3
    assert "needs JavaScript" in page.inner_text("noscript")


def test_a_print_has_no_buttons(page):
    page.emulate_media(media="print")
    assert not page.is_visible(".tools")
    assert not page.is_visible(".pages button")
    assert page.is_visible(".questions")
    assert page.is_visible(".verdicts")


def test_much_data_is_compressed(watch, result, tmp_path, monkeypatch):
    monkeypatch.setattr(page_data, "LONGEST_PLAIN", 1000)
    path = tmp_path / "page.html"
    path.write_text(page_html([PageSuite(result, JUDGE)], {}), encoding="utf-8")
    assert "alert(2)" not in path.read_text(encoding="utf-8")
    watched = watch()
    page = watched.open(path)
    detail = opened(page, 3)
    assert "␛[31mred" in detail.locator("dd").first.inner_text()
    assert "U+D800 end" in detail.locator("dd").first.inner_text()
    assert told(page) == "60 of 60 questions"
    assert watched.messages == []


def test_several_suites_have_tables_of_their_own(watch, tmp_path):
    questions = make_questions(6, 3)
    said = make_answers(questions, {"only": 0.5}, 1)
    suites = [
        PageSuite(make_result(questions, said, {}, suite=name)) for name in ("first", "second")
    ]
    path = tmp_path / "page.html"
    path.write_text(page_html(suites, {}), encoding="utf-8")
    watched = watch()
    page = watched.open(path)
    assert page.inner_text("header .conclusion") == (
        "No verdict: nothing was compared with accepted answers."
    )
    assert page.locator("nav a").all_inner_texts() == ["first", "second"]
    page.locator("input[type=search]").nth(1).fill("tower")
    assert page.inner_text("#told-0") == "6 of 6 questions"
    assert page.inner_text("#told-1") == "1 of 6 questions"
    assert page.locator("button[data-state=disagree]").count() == 0
    ids = page.locator("[id]").evaluate_all("all => all.map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert watched.messages == []
