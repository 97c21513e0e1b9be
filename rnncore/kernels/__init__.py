"""The runs of some cells made fast: the same operations as the cells', for one kind of array each."""

__all__ = ["cpu"]
