//! Upstox market data V3: everything between the network and plain decoded values. It decides
//! nothing: when to connect, what to subscribe and what a trade means is for others to say.
//!
//! - [`proto`] the feed's messages, generated from `feed_v3.proto`

pub mod proto;
