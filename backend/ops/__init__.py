"""What operators see: status in words, health."""
