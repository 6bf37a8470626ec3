//! What people see. Every page is whole without JavaScript; scripts only keep it fresh.
//!
//! - [`html`] text that is safe, and the frame around every page
//! - [`scanner`] the table
//! - [`symbol`] one instrument: chart, conditions, bars, signals, trades
//! - [`events`] the journal
//! - [`runs`] runs and what became of them
//! - [`replay`] the table as it was
//! - [`parity`] the run beside a replay of its journal
//! - [`health`] how the run is

mod events;
mod health;
mod html;
mod parity;
mod replay;
mod runs;
mod scanner;
mod symbol;

pub use html::Safe;

use axum::Router;
use axum::routing::get;

use super::app::App;

/// The pages' addresses.
pub fn router() -> Router<App> {
    Router::new()
        .route("/scanner", get(scanner::page))
        .route("/symbol/{key}", get(symbol::page))
        .route("/events", get(events::page))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::one))
        .route("/replay/{id}", get(replay::page))
        .route("/health", get(health::health))
        .route("/parity", get(parity::page))
}
