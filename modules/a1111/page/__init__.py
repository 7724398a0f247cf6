"""What extensions bring to the page: scripts, tabs, settings, scripts and styles of the browser."""
