"""One module per noun of the API: requests in, parsed replies out."""
