"""The life of policy bundles: drafted, validated, approved by another person, activated for a scope, rolled back."""
