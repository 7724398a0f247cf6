"""Where things are in a picture: faces and people by what OpenCV ships, anything else by files of the user's."""
