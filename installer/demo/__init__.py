"""The whole way on a made-up host in a directory of its own: for real, without root, domain, authority or network."""
