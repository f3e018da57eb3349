"""What the repository as a whole promises: layers, start-up imports, links, locks, no traces of machines."""
