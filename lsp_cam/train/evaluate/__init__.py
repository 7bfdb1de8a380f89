"""How good a subject is: the paper's tables on footage that it was not trained on, one file a table."""
