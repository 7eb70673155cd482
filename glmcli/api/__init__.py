"""The service: addresses, calls, streams, failures and resources."""
