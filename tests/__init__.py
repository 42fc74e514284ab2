"""Tests: promises that the product keeps."""
