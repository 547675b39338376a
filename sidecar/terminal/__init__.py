"""What a running sidecar says of itself, for a person in front of a terminal."""
