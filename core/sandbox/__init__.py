"""The sandbox: what the kernel takes from a process before it reads files of strangers."""
