"""The panel by keyboard, for a screen reader, in light and dark, in a telephone's window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from .. import needs
from .panel import panel_of, until

pytestmark = [pytest.mark.system, needs.chromium]
TABS = ("Set up", "Head", "Subjects", "Timing", "Dub", "New")
CONTROLS = {"button", "checkbox", "combobox", "image", "meter", "progressbar", "slider", "tab", "tabpanel", "textbox"}
LEAST_CONTRAST = 4.5  # WCAG 2, level AA

# The ratio of every text that is seen to what lies behind it, the worst first; what is disabled may be faint.
CONTRASTS = """() => {
  const parse = (colour) => { const found = colour.match(/[\\d.]+/g).map(Number); return [...found, 1].slice(0, 4); };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const linear = (v) => v / 255 <= .03928 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  const behind = (element) => {
    const colour = element ? parse(getComputedStyle(element).backgroundColor) : [255, 255, 255, 1];
    return colour[3] === 1 ? colour : over(colour, behind(element.parentElement));
  };
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data.trim(), element = texts.currentNode.parentElement;
    if (!text || !element.checkVisibility() || element.closest(".unseen, :disabled, #handle, svg")) continue;
    const under = behind(element), seen = over(parse(getComputedStyle(element).color), under);
    const [bright, dim] = [light(seen), light(under)].sort((a, b) => b - a);
    found.push([(bright + .05) / (dim + .05), text]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}"""
BEYOND = """() => [...document.querySelectorAll("main *")].filter((element) => element.checkVisibility()
  && !element.closest(".unseen, #handle, svg") && element.getBoundingClientRect().right > innerWidth - 8)
  .map((element) => element.id || element.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def page(reference_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with panel_of(reference_bundle(), tmp_path_factory.mktemp("home"), 1000, 800) as page:
        yield page


def show(page: Page, tab: str) -> None:
    """Open a tab, and of New all that it ever shows."""
    page.get_by_role("tab", name=tab, exact=True).click()
    page.evaluate("for (const id of ['new-form', 'studio', 'dub-done']) document.getElementById(id).hidden = false")


def test_tabs_are_walked_by_arrows(page: Page):
    page.get_by_role("tab", name="Set up").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Head").get_attribute("aria-selected") == "true"
    page.keyboard.press("End")
    assert page.get_by_role("tab").last.get_attribute("aria-selected") == "true"


@pytest.mark.parametrize("tab", TABS)
def test_the_tab_key_reaches_every_control_and_shows_where_it_is(page: Page, tab: str):
    show(page, tab)
    panel = page.get_by_role("tabpanel")
    until(lambda: tab != "Subjects" or panel.get_by_role("button").count() > 1)
    focusable = "#{} :is(button, input, select, textarea, a[href]):enabled"
    wanted = page.locator(focusable.format(panel.get_attribute("id"))).evaluate_all(
        "all => all.filter(e => e.checkVisibility()).map((e, i) => (e.dataset.place = i, i))"
    )
    page.get_by_role("tab", name=tab, exact=True).focus()
    reached = []
    for _ in range(len(wanted) + 12):  # a film has buttons of its own
        page.keyboard.press("Tab")
        place, outline = page.evaluate(
            "[document.activeElement.dataset.place, getComputedStyle(document.activeElement).outlineStyle]"
        )
        if place is not None:
            reached.append(int(place))
            assert outline != "none"
    assert sorted(set(reached)) == wanted


def test_what_is_being_made_keeps_the_focus(page: Page):
    job = {
        "id": "ada",
        "title": "ada",
        "state": "running",
        "step": "3/12",
        "left": None,
        "message": "",
        "has_picture": 0,
    }
    shares = iter(range(100))
    page.route("**/api/creations", lambda route: route.fulfill(json=[{**job, "share": next(shares) / 100}]))
    show(page, "New")
    page.get_by_role("button", name="Stop for now").focus()
    until(lambda: page.evaluate("document.querySelector('.making progress').value") > 0.01)
    assert page.evaluate("document.activeElement.textContent") == "Stop for now"
    page.unroute_all()


@pytest.mark.parametrize("tab", TABS)
def test_a_screen_reader_has_a_name_for_everything(page: Page, tab: str):
    show(page, tab)
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    told = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"]]
    assert len(told) > 20
    assert not [role for role, name in told if role in CONTROLS and not name.strip()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(page: Page, scheme: Any):
    page.emulate_media(color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    levels = [int(v) for v in paper.removeprefix("rgb(").removesuffix(")").split(",")]
    assert (sum(levels) > 600) == (scheme == "light")
    page.evaluate("for (const one of document.getAnimations()) one.finish()")
    for tab in TABS:
        show(page, tab)
        until(lambda: page.evaluate("document.getAnimations().length === 0"))
        ratio, text = page.evaluate(CONTRASTS)[0]
        assert ratio >= LEAST_CONTRAST, (tab, text)


@pytest.mark.parametrize("width", [360, 1100])
def test_every_tab_fits_its_window(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 700})
    page.route("**/api/status", lambda route: route.fulfill(json=with_long_name(route.fetch().json())))
    until(lambda: "unbroken" in str(page.locator("#mic-name").text_content()))
    for tab in TABS:
        show(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab
        assert page.evaluate(BEYOND) == [], tab
    page.unroute_all()


def with_long_name(status: Any) -> Any:
    """A microphone's name may be as long as a file's path."""
    status["microphone"]["name"] = "unbroken/" * 12
    return status
