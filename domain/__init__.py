"""What llama-mapper decides: pure code, no framework, no driver, no I/O."""
