"""Groups: as they are marked, closed by their step at the latest, and found alike however the log is cut."""

from hypothesis import given
from hypothesis import strategies as st

from shared.logs.find_groups import MOST_GROUPS, GroupFinder
from shared.logs.outline import Group
from shared.logs.strip_ansi import strip_ansi

LINES = [
    "::group::one",
    "::endgroup::",
    "##[group]two",
    "##[endgroup]",
    "section_start:1:a\rHeader of a",
    "section_start:1:b",
    "section_end:2:b\rsection_end:2:a\r",
    "section_end:2:a",
    "plain",
    "not ::group::three",
]


def find(lines: list[str], *, step: int = 0) -> list[Group]:
    finder = GroupFinder()
    finder.feed(0, step, "".join(line + "\n" for line in lines))
    finder.finish(len(lines))
    return finder.groups


def test_a_group_goes_from_its_mark_to_its_end() -> None:
    assert find(["x", "::group::Install it", "y", "::endgroup::", "z"]) == [Group("Install it", 0, 1, 3)]


def test_a_new_group_ends_the_one_before_since_they_do_not_nest() -> None:
    assert find(["::group::a", "x", "::group::b", "y", "z"]) == [Group("a", 0, 0, 2), Group("b", 0, 2, 3)]


def test_sections_nest_and_are_closed_by_their_key() -> None:
    lines = [
        "\x1b[0Ksection_start:1560896352:outer[collapsed=true]\r\x1b[0KThe outer one",
        "section_start:1560896353:inner\r\x1b[0K\x1b[1mThe inner one\x1b[0m",
        "x",
        "section_end:1560896354:inner\r\x1b[0K",
        "section_end:1560896355:outer\r\x1b[0K",
    ]
    assert find([strip_ansi(line) for line in lines]) == [
        Group("The outer one", 0, 0, 5, "outer"),
        Group("The inner one", 0, 1, 3, "inner"),
    ]


def test_a_section_without_a_header_is_named_by_its_key() -> None:
    assert find(["section_start:1:build_all\r", "section_end:2:build_all\r"]) == [
        Group("build_all", 0, 0, 2, "build_all")
    ]


def test_the_end_of_an_outer_section_ends_the_inner_ones() -> None:
    assert [group.line_count for group in find(["section_start:1:a", "section_start:1:b", "section_end:1:a", "x"])] == [
        3,
        2,
    ]


def test_an_end_without_a_beginning_means_nothing() -> None:
    assert find(["::endgroup::", "section_end:1:a", "x"]) == []


def test_a_mark_within_a_line_is_none() -> None:
    assert find(["echo '::group::a'", "see section_start:1:a"]) == []


def test_a_group_ends_with_its_step() -> None:
    finder = GroupFinder()
    finder.feed(0, 0, "::group::a\nx\n")
    finder.feed(2, 1, "y\n::group::b\n")
    finder.finish(4)
    assert finder.groups == [Group("a", 0, 0, 2), Group("b", 1, 3, 1)]


def test_there_are_not_more_groups_than_a_page_can_show() -> None:
    assert len(find(["::group::a", "::endgroup::"] * (MOST_GROUPS + 5))) == MOST_GROUPS


@given(st.lists(st.sampled_from(LINES), max_size=30), st.data())
def test_groups_are_the_same_however_the_log_is_cut_and_whoever_goes_on(lines: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(lines)))
    first = GroupFinder()
    first.feed(0, 0, "".join(line + "\n" for line in lines[:cut]))
    second = GroupFinder(first.groups)
    second.feed(cut, 0, "".join(line + "\n" for line in lines[cut:]))
    second.finish(len(lines))
    assert second.groups == find(lines)
    assert all(group.line_count is not None and group.line_count > 0 for group in second.groups)
