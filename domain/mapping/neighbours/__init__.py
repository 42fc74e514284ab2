"""Labels that are alike: by their words, and by their meaning as an embedding model sees it."""
