"""Report templates: Jinja2 in its sandbox, in a process of its own."""
