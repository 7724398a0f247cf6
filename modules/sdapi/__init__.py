"""A1111's HTTP API over the studio, with its names, types and defaults. Every request is a job."""
