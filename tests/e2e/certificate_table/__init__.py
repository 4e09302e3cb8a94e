"""Client certificates made byte by byte, each with its verdict by RFC 5280 or by lb's own rules (README)."""
from certificate_table import chains, extensions, keys, naming, shape

ROWS = [*keys.ROWS, *shape.ROWS, *naming.ROWS, *extensions.ROWS, *chains.ROWS]

# What the text of the log speaks of when a chain is broken, by the first word of the row's name.
WORDS = {"signature": "signature", "signed": "signature", "pathlen": "pathlen", "held": "name constraints",
         "policy": "certificate policy", "basic": "no CA"}
