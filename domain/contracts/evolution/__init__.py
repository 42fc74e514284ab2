"""How published schemas change: what differs, whom it breaks, and how a document of one version becomes another's."""
