"""Doors: HTTP, command line, embedded; and the containers that wire adapters to ports."""
