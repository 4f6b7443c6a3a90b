"""What a plugin is, and which plugins are installed."""
