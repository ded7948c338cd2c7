"""
A model at another opset of ai.onnx, with the meaning it had.

In comes a model or its file, and the opset to reach; out goes another. It imports graph, and runtimes for what each
release reads.
"""
