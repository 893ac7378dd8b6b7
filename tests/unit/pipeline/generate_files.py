"""Valid pipeline files, as data, for properties that hold for every one of them."""

from typing import Any

from hypothesis import strategies as st

File = dict[str, Any]

_KEYS = st.sampled_from(["a", "b", "lint", "test-1", "_x", "Z9"])
_SCRIPTS = st.sampled_from(["make", "echo ${A}\nexit 1", "true # yes", 'printf "\\n"'])
_NAMES = st.sampled_from(["app", "3.10", "yes", "Hëllo", "a: b"])
_ENV = st.dictionaries(st.sampled_from(["A", "B_1", "_c"]), st.sampled_from(["", "1", "${x}", "yes", "ü\n"]))
_TIMEOUTS = st.sampled_from(["1s", "20m", "1h30m", "24h"])


def _one_or_many(values: list[str]) -> st.SearchStrategy[Any]:
    one = st.sampled_from(values)
    return one | st.lists(one, min_size=1, unique=True)


_BRANCHES = _one_or_many(["main", "release/*", "**", "v?", "1.0"])
_WHEN = st.fixed_dictionaries({}, optional={"event": _one_or_many(["push", "manual"]), "branch": _BRANCHES})
_STEP = st.fixed_dictionaries({"run": _SCRIPTS}, optional={"name": _NAMES, "env": _ENV})
_BODY = st.fixed_dictionaries({"run": _SCRIPTS}) | st.fixed_dictionaries(
    {"steps": st.lists(_STEP, min_size=1, max_size=3)}
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.sampled_from([0.5, "", "yes", "3.10", "null", "ü"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b c", "on"]), inner, max_size=3),
    max_leaves=6,
)
_TASK = st.fixed_dictionaries({"type": st.sampled_from(["http_request", "a"])}, optional={"payload": _JSON})
_REST = st.fixed_dictionaries({}, optional={"env": _ENV, "timeout": _TIMEOUTS, "when": _WHEN.filter(bool)})
_ON = st.sampled_from(["push", ["push"], {"push": {}}, {"push": None}]) | _BRANCHES.map(
    lambda branches: {"push": {"branches": branches}}
)


@st.composite
def _jobs(draw: st.DrawFn) -> File:
    keys = draw(st.lists(_KEYS, min_size=1, max_size=4, unique=True))
    jobs: File = {}
    for number, key in enumerate(keys):
        jobs[key] = {**draw(_BODY), **draw(_REST)}
        if draw(st.integers(0, 3)) == 0:
            jobs[key] = {
                "task": draw(_TASK),
                **{name: jobs[key][name] for name in ("timeout", "when") if name in jobs[key]},
            }
        if number and draw(st.booleans()):
            jobs[key]["needs"] = draw(_one_or_many(keys[:number]))
    return jobs


FILES: st.SearchStrategy[File] = st.fixed_dictionaries(
    {"on": _ON, "jobs": _jobs()},
    optional={
        "name": _NAMES,
        "env": _ENV | st.none(),
        "defaults": st.fixed_dictionaries({}, optional={"timeout": _TIMEOUTS}) | st.none(),
    },
)
