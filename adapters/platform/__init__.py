"""What every context needs once: databases, keys, catalogue files, telemetry."""
