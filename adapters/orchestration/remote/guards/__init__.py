"""Families of guard models: what each is sent, and the closed form that its judgement must have."""
