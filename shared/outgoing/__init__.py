"""Requests that leave Howdah for an address that somebody gave: checked, pinned, and bounded in every way.

`reach_target` does all of it; the other modules are its steps.
"""
