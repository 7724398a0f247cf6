"""/api/v2: requests as jobs with addresses of their own."""
