"""Policy bundles: where they are kept and what evaluates them."""
