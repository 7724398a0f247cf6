"""The one long-lived object and what it holds: flags, jobs, outputs, gallery. The faces stand on it."""
