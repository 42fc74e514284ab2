"""How a tenant wants its labels mapped."""
