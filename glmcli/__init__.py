"""glm: the command line for the GLM models of Z.AI and Zhipu (BigModel)."""

__version__ = "0.1.0"
