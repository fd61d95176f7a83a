"""Pure Spark: frames in, frames out."""
