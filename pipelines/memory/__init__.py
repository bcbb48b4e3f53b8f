"""Tensors between disk, host memory and the device."""
