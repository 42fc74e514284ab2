"""How mapping is doing: counts in windows of time, and what follows from them. No label's text takes part."""
