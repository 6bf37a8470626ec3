//! Rows for SQL.
