//! `/health` and `/parity`: how the run is, and whether the core still says what was recorded.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use crate::web::api::health_of;
use crate::web::app::App;
use crate::web::parity::{Compared, current};

use super::html::{Page, Safe, framed, grouped, refused};

/// `/health`.
pub async fn health(State(app): State<App>) -> Response {
    let health = health_of(&app);
    let mut rows = String::new();
    write(&mut rows, "", &health);
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
                let name = match name {
                    "" => field,
                    name => format!("{name}: {field}"),
                };
                write(rows, &name, value);
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
            *rows +=
                &format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", Safe(name), Safe(text));
        }
    }
}

/// `/parity`.
pub async fn parity(State(app): State<App>) -> Response {
    match current(&app).await {
        Ok(compared) => {
            let body = verdict(&compared);
            let (title, place) = ("Parity", "/parity");
            framed(&app, &Page { title, place, script: None, vendor: &[], body })
        }
        Err(no) => refused(&app, &no),
    }
}

fn verdict(compared: &Compared) -> String {
    let (tone, words) = match compared.verdict {
        "same" => ("good", "The core derives just what was recorded"),
        "differs" => ("bad", "The core derives something else than was recorded"),
        _ => ("bad", "It cannot be told"),
    };
    let line = |label: &str, text: &Option<String>| {
        text.as_ref().map_or_else(String::new, |text| {
            format!("<dt>{label}</dt><dd class=\"line\">{}</dd>\n", Safe(text))
        })
    };
    format!(
        "<h1>Parity</h1>\n\
         <p class=\"verdict {tone}\" id=\"verdict\" data-verdict=\"{}\">{words}</p>\n\
         <p>The core ran again over {} inputs, up to event {}, and {} outputs were compared byte by \
         byte. {} inputs have outputs that differ.</p>\n<dl>{}{}{}{}</dl>\n\
         <p><a href=\"/parity\">Compare again</a></p>\n",
        compared.verdict,
        grouped(compared.inputs),
        grouped(compared.position),
        grouped(compared.outputs),
        grouped(compared.steps_differing),
        line("First difference", &compared.first),
        line("Recorded", &compared.recorded),
        line("Derived", &compared.derived),
        line("Why", &compared.error),
    )
}
