"""Promises of the Apis, put to the service itself and to the link to it."""
