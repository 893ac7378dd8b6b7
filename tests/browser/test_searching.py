"""The page on which all logs are searched."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Desk
from tests.browser.site import Site

ERROR = "ERROR: expected 3, got 4 in test_thing.py:88"


def test_a_line_is_found_and_leads_to_itself(desk: Desk, site: Site) -> None:
    page = desk.page()
    page.goto(f"{site.url}/runs")
    page.get_by_role("navigation").get_by_role("link", name="Search").click()
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.locator(".empty")).to_contain_text("Every line that a job has printed")
    page.keyboard.type('"got 4" expected')
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/search\?q=%22got\+4%22\+expected&"))
    found = page.locator(".found")
    expect(found).to_have_count(1)
    expect(found.get_by_role("heading")).to_have_text(re.compile(r"app\s+#1\s+/\s+big"))
    hit = found.locator(".hit")
    expect(hit).to_contain_text(ERROR)
    assert hit.locator("mark").all_text_contents() == ["expected", "got 4"]
    # What stands around it is there, too.
    expect(found.locator(".near")).to_have_count(4)
    hit.get_by_role("link").click()
    page.wait_for_url(re.compile(r"/jobs/[0-9a-f-]+\?attempt=1#L199951$"))
    expect(page.locator(".log-line.selected")).to_contain_text(ERROR)


def test_filters_and_pages_are_in_the_address(desk: Desk, site: Site) -> None:
    page = desk.page()
    page.goto(f"{site.url}/search?q=deprecated")
    expect(page.locator(".hit")).to_have_count(50)
    page.get_by_role("link", name="Older lines").click()
    page.wait_for_url(re.compile("cursor="))
    expect(page.locator(".hit")).to_have_count(50)
    page.get_by_label("Lines", exact=True).select_option("errors")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".empty")).to_contain_text("No line found")
    assert "level=error" in page.url
    page.get_by_label("Lines", exact=True).select_option("warnings and errors")
    page.get_by_label("Pipeline").select_option("app")
    page.get_by_label("Job", exact=True).select_option("failed")
    page.get_by_label("Printed in").select_option("the last hour")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".hit")).to_have_count(50)
    page.get_by_label("Branch").fill("another")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".hit")).to_have_count(0)


def test_hostile_lines_are_text_here_too(desk: Desk, site: Site) -> None:
    page = desk.page()
    page.goto(f"{site.url}/search?q=onerror+title")
    expect(page.locator(".hit")).to_contain_text("<script>document.title = 'taken over'</script><img src=x")
    assert page.locator(".found-lines :is(script, img)").count() == 0
    assert "taken over" not in page.title()


def test_what_cannot_be_searched_for_is_explained(desk: Desk, site: Site) -> None:
    page = desk.page()
    for asked, said in (('"open', "quotation mark"), ("-only", "it only excludes"), ("...", "nothing is left")):
        page.goto(f"{site.url}/search?q={asked}")
        expect(page.get_by_role("alert")).to_contain_text(said)
        expect(page.get_by_role("searchbox")).to_have_value(asked)
    # The browser itself notes that a page was answered with 422.
    assert all("422" in complaint for complaint in desk.complaints)
    desk.complaints.clear()


def test_a_phone_scrolls_the_results_in_one_direction(desk: Desk, site: Site) -> None:
    page = desk.page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page.goto(f"{site.url}/search?q=wide")
    expect(page.locator(".hit").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
