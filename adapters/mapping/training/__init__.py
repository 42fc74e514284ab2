"""Training with torch and peft in an interpreter of its own, and what the parent process does about it."""
