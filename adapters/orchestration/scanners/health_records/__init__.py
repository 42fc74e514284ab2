"""Health identifiers and health facts about a person, by rules and lexicons of our own."""
