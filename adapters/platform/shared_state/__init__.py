"""State that the processes of an installation share: in this process's memory, or in Redis."""
