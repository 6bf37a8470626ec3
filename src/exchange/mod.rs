//! A stand-in exchange: what tests, demonstrations and `lockstep live --feed sim:CASE` trade on. It
//! plays a history as trades, speaks the protocol of Upstox V3 on loopback, and can be told to do
//! so badly. Everything but the server itself is pure and works without a socket.
//!
//! - [`market`] what is traded: instruments, days, history
//! - [`script`] minute bars become trades
//! - [`ticker`] one instrument at one moment
//! - [`frames`] the feed's messages in their order
//! - [`faults`] how a line may fail, by chance and repeatable
//! - [`line`] what becomes of the frames on their way
//! - [`recording`] a day as a run once heard it
//! - [`candles`] history over REST, with its quirks
//! - [`pace`] market time and the time that passes here
//! - [`server`] the sockets: `routes` over HTTP, and each `connection` to the feed

pub mod candles;
mod connection;
pub mod faults;
#[cfg(test)]
mod fixture;
pub mod frames;
pub mod line;
pub mod market;
pub mod pace;
pub mod recording;
mod routes;
pub mod script;
pub mod server;
#[cfg(test)]
mod tests;
pub mod ticker;
