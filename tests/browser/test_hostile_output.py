"""Whatever a job prints is text on its page, and nothing else."""

from playwright.sync_api import expect

from tests.browser.conftest import Desk
from tests.browser.site import LogPage, Site


def test_hostile_output_is_inert_text(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["hostile"]).open()
    expect(log.page.locator(".log-head")).to_have_count(1)
    text = log.page.locator(".log-text")
    expect(text.filter(has_text="<script>document.title = 'taken over'</script><img src=x")).to_have_count(1)
    expect(text.filter(has_text="{{ 7 * 7 }} ${7 * 7} &amp; &lt;b&gt;")).to_have_count(1)
    expect(text.filter(has_text="a link of a terminal")).to_have_text("a link of a terminal")
    assert log.page.locator(".log-text a[href^=javascript]").count() == 0
    assert log.page.locator(".log-text :is(script, img, b, style)").count() == 0
    assert "taken over" not in log.page.title()
    red = text.filter(has_text="red and bold")
    expect(red).to_have_text("red and bold plain")
    expect(red.locator("span").first).to_have_class("ansi-fg-red ansi-bold")
    expect(text.filter(has_text="finished")).to_have_text("finished")
    expect(text.filter(has_text="not UTF-8")).to_have_text("not UTF-8: \ufffd\ufffd, and a NUL: \ufffd.")


def test_a_line_that_turns_its_direction_turns_no_other(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["hostile"]).open()
    turned = log.page.locator(".log-text", has_text="turned around")
    assert turned.evaluate("(element) => getComputedStyle(element).unicodeBidi") == "isolate"
    number = turned.locator("xpath=..").locator(".log-number").bounding_box()
    text = turned.bounding_box()
    assert number is not None
    assert text is not None
    assert number["x"] < text["x"]


def test_a_very_long_line_is_folded_and_binary_is_named(desk: Desk, site: Site) -> None:
    log = LogPage(desk.page(), site, site.jobs["hostile"]).open()
    log.press("End")
    long = log.page.locator(".log-text", has_text="the end of a long line")
    expect(long).to_contain_text("kB more, in the raw log")
    assert len(long.text_content() or "") < 10_000
    link = long.get_by_role("link")
    assert "/log/raw" in (link.get_attribute("href") or "")
    expect(log.page.locator(".log-text", has_text="binary")).to_have_count(1)
    expect(log.rows.last).to_contain_text("the last line")
