"""
``python -m tools.noise``: what the page on rounding noise claims, measured.

``calibrate`` compares right runtimes with the noise of many models, ``faults`` plants faults in these models and counts
which are found, ``size`` takes the time and the memory of a model as large as BERT base. Each writes its section of
the page; what stands between the sections is written by hand.
"""
