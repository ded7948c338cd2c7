"""
Numbers measured: ULP and errors against exact values, two outputs, decisions, and bounds with their derivation; how
reports write them, and show themselves in a few lines.
Arrays come in, and rows of the operator table.
It imports softops.opset alone.
"""
