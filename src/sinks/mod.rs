//! The world out.
