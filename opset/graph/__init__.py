"""
Models as onnx holds them: opened, checked, walked over; what their names stand for; their tensors; their files.

In comes what a user calls a model; out go protobufs, and scopes of them. It imports nothing of the other rooms.
"""
