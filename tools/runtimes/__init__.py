"""The state of the softmax family across runtimes: each installed and judged by itself, and one page of all."""
