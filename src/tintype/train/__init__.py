"""How the models that Tintype ships were made, and how to make them again."""
