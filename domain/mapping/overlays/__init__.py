"""A tenant's own vocabularies: uploaded lists, and labels that its reviewers decided on."""
