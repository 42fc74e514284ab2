"""Every published schema as committed: `MODEL.MAJOR.json`, and `MODEL.FROM-TO.plan.json` from one to another."""
