"""How good the mapping of unknown labels is: whole families of vendors left out, asked about, and judged."""
