"""The policy bundles that ship with the product, as package data: one folder a bundle, one Rego module for all."""
