"""Versions of the crosswalk: test cases, deployment to a share of the traffic, differences."""
