"""Found by tritonserver, which puts the folder of the model, with the link in it, on the path."""

from triton_models.embedding import TritonPythonModel

__all__ = ["TritonPythonModel"]
