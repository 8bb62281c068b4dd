"""The reverse proxies: how each is found, read, rendered, tested and reloaded."""
