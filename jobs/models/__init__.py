"""Fit, predict and score: plain functions over long pandas frames, with no Spark, no registry and no clock."""
