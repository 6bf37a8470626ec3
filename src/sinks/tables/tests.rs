//! Stories of one instrument, and the law that it does not matter where the stream is cut.
