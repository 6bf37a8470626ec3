//! `/health`: how the run, its journal and its feed are.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use crate::web::api::health_of;
use crate::web::app::App;

use super::html::{Page, Safe, framed, grouped};

/// What people look for first.
const FIRST: [&str; 9] = [
    "mode",
    "status",
    "journal",
    "error",
    "parity",
    "feed",
    "market_clock",
    "idle_seconds",
    "position",
];

/// `/health`.
pub async fn health(State(app): State<App>) -> Response {
    let health = health_of(&app);
    let mut rows = String::new();
    let is_first = |name: &&String| FIRST.contains(&name.as_str());
    let names = health.as_object().into_iter().flat_map(|fields| fields.keys());
    let rest = names.filter(|name| !is_first(name)).map(String::as_str);
    for name in FIRST.into_iter().chain(rest) {
        write(&mut rows, &name.replace('_', " "), &health[name]);
    }
    let body = format!(
        "<h1>Health</h1>\n<div class=\"wide\" role=\"region\" aria-label=\"Health\" tabindex=\"0\">\
         <table class=\"narrow\"><thead><tr><th scope=\"col\">What</th>\
         <th scope=\"col\">Is</th></tr></thead><tbody>{rows}</tbody></table></div>\n\
         <p class=\"hint\">The same for programs: <a href=\"/api/v1/health\">/api/v1/health</a>, \
         <a href=\"/metrics\">/metrics</a>, \
         <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a></p>\n"
    );
    framed(&app, &Page { title: "Health", place: "/health", script: None, vendor: &[], body })
}

/// Each value in a row of its own, under its whole name.
fn write(rows: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let field = field.replace('_', " ");
                write(rows, &format!("{name}: {field}"), value);
            }
        }
        value => {
            let text = match value {
                Value::Null => "–".to_owned(),
                Value::String(text) => text.clone(),
                Value::Number(number) => {
                    number.as_u64().map_or_else(|| number.to_string(), grouped)
                }
                Value::Bool(is) => (if *is { "yes" } else { "no" }).to_owned(),
                other => other.to_string(),
            };
            let name = match name {
                "market clock" | "feed: last market" => format!("{name} (IST)"),
                name => name.replace(" utc", " (UTC)"),
            };
            *rows +=
                &format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", Safe(name), Safe(text));
        }
    }
}
