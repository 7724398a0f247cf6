"""What betters a picture that is already there."""
