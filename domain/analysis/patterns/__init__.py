"""What a tenant's history shows: trends, frequencies, associations and departures from its own past."""
