"""What stands between us and a detector that is slow, dead, flapping or overloaded; one mechanism a module."""
