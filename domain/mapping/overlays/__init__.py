"""A tenant's own vocabularies, and what stands for a tenant now: overlay, frameworks, crosswalk."""
