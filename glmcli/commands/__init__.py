"""One module per command, found by name through `glmcli.registry`."""
