"""Which classifiers `from_sklearn` exports, and how far their probabilities are from scikit-learn's.

Everything that scikit-learn lists as a classifier comes in, with XGBoost's and LightGBM's; a page goes out.
"""
