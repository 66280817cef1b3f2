"""Programs that build and try what is installed without a package index."""
