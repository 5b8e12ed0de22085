"""Trimming as Codex trims."""

# Unicode's White_Space. Python's own idea of it has the separators U+001C to U+001F as well.
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def trim(text: str) -> str:
    """`text` without white space at its ends."""
    return text.strip(_WHITE_SPACE)
