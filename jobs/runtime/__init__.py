"""Every side effect: session, lake, books, quality, tracking, settings, command line."""
