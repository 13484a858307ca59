"""Stand-ins for the HTTP servers of gateways."""
