"""From a vendor's label to a canonical one, in stages: what is certain first, what costs most last, else abstain."""
