"""Every picture that was made, found again: an index of the output folders by what stands in the files."""
