//! Stories of good and bad feeds.
