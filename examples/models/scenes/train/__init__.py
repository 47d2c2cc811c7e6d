"""How the model `scenes` is made: renderer, networks, training, export and evaluation. See README.md beside this."""
