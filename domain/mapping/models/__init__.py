"""The registry of models: versions, their life, and what they fit."""
