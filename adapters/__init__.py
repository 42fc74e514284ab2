"""Technology: one module for each technology that keeps a port's promise."""
