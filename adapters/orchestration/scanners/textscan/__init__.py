"""What the in-process identifier detectors share: rules, check digits, lexicons and windows over text."""
