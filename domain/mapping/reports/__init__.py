"""Reports of what was mapped, in the shapes that their readers expect."""
