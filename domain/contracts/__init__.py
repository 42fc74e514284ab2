"""The published language: one module a context, frozen models and the `…Api` each context promises to keep."""
