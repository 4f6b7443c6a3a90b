"""The first-party plugins, registered by entry points like all other plugins."""
