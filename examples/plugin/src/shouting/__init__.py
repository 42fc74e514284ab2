"""An example plugin for llama-mapper."""
