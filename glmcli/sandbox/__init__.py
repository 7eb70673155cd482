"""An imitation of the service: one WSGI application, in process or on loopback.

It knows the words of `glmcli` (errors, business codes) and nothing else of it,
so that a fault in the client cannot hide behind the same fault here.
"""
