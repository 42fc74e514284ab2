"""The shipped documents of the catalogue, as YAML."""
