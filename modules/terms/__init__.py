"""What is asked, what comes back, how things are declared. Standard library and Pillow only."""
