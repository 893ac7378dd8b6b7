"""Why a key is refused, and which one may have been meant."""

from difflib import get_close_matches
from typing import NamedTuple

from shared.pipeline.fields import SECTIONS
from shared.pipeline.kinds import Section
from shared.pipeline.problem import show_text

# Comparing takes time that is quadratic in the length, for each of the values; a hint is not worth more.
_LONGEST_COMPARED = 40
_MOST_COMPARED = 100


class Refusal(NamedTuple):
    """Why a key is refused. `excuses`: keys whose absence need not be complained of as well."""

    message: str
    hint: str | None
    excuses: tuple[str, ...]


def explain_key(section: Section, key: str) -> Refusal:
    """Return why the section does not take the key."""
    if key in section.later:
        return Refusal(f"`{key}` is not supported yet", None, section.exactly_one)
    meant = dict(section.other_names).get(key) or _nearest(key, tuple(field.key for field in section.fields))
    if meant:
        excuses = section.exactly_one if meant in section.exactly_one else (meant,)
        return Refusal("unknown key", f"did you mean `{meant}`?", excuses)
    return Refusal("unknown key", _name_homes(key), ())


def suggest_value(text: str, values: tuple[str, ...]) -> str | None:
    """Return a hint that names the value nearest to `text`, if one is near."""
    near = _nearest(text, values)
    return f"did you mean `{near}`?" if near else None


def _nearest(text: str, values: tuple[str, ...]) -> str | None:
    if len(text) > _LONGEST_COMPARED:
        return None
    values = values[:_MOST_COMPARED]
    near = get_close_matches(text, values, n=1) or get_close_matches(text.lower(), values, n=1)
    return near[0] if near else None


def _name_homes(key: str) -> str | None:
    homes = [s.title for s in SECTIONS if key in s.later or any(field.key == key for field in s.fields)]
    return f"`{show_text(key)}` belongs to {' or '.join(homes)}" if homes else None
