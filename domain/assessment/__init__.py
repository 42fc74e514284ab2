"""The chain as one use case over the three contexts, and the evidence it ends in."""
