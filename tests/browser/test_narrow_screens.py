"""The pages on a phone."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Desk
from tests.browser.site import LogPage, Site


@pytest.mark.parametrize("key", ["big", "hostile"])
def test_a_phone_scrolls_in_one_direction(desk: Desk, site: Site, key: str) -> None:
    page = desk.page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    log = LogPage(page, site, site.jobs[key]).open()
    expect(log.rows.first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_label("wrap").uncheck()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_without_motion_nothing_pulses(desk: Desk, site: Site) -> None:
    page = desk.page(reduced_motion="reduce")
    LogPage(page, site, site.jobs["big"]).open()
    running = page.evaluate("document.getAnimations().filter((known) => known.playState === 'running').length")
    assert running == 0
