"""The first-party plugins, registered by entry points exactly as anybody else's."""
