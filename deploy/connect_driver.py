"""The Spark application behind the embedded Connect server: started by spark-submit, serves until its JVM ends.

Spark's own server class gives each client a class loader and Python workers of its own. Here all clients are jobs of
this project in the same environment: they share compiled code and warm Python workers, so a job of a few rows takes
2 s less.
"""

import sys

from pyspark.sql import SparkSession

# the plug-in which listens for clients is among the settings that spark-submit was given
SparkSession.builder.getOrCreate()
# the JVM holds the other end and never writes: this returns when the JVM has ended
sys.stdin.read()
