"""The catalogue: taxonomy, vendor vocabularies, frameworks and crosswalk, as immutable look-up tables.

The data ships as YAML beside this package (`data/`); an adapter reads it, and this package, which reads nothing,
checks it and builds the tables.
"""
