"""Text in lower case, whatever stands around a letter. Pure."""


def lower_text(text: str) -> str:
    """Return a text in lower case, in which a final sigma is a sigma like any other.

    So the lower case of a text is that of its parts, put together: a word is the same by itself, in its line, and in
    other words. `str.lower` makes another letter of a sigma at a word's end, and looks beyond punctuation for that end.
    """
    lower = text.lower()
    return lower if lower.isascii() else lower.replace("\u03c2", "\u03c3")
