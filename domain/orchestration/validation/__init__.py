"""Whether a policy bundle will do what its author means: everything that can be told before it decides anything."""
