"""Models from the net: a link becomes offers (links, sites), an offer a file (transfer) in its folder (downloads)."""
