"""What every adapter of the generation port keeps."""
