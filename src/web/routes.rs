//! Every address in one table: the server is made of it, and so is its description.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use serde_json::{Map, Value, json};

use super::app::App;
use super::guard::{BODY_MAX, guard};
use super::{api, assets, control, events, metrics, pages, parity, runs, stream};

/// One address.
struct Route {
    path: &'static str,
    method: &'static str,
    what: &'static str,
    /// What stands behind the `?`, with what it means.
    query: &'static [(&'static str, &'static str)],
    answers: &'static [(u16, &'static str)],
    produces: &'static str,
    handler: fn() -> MethodRouter<App>,
}

const JSON: &str = "application/json";
const KEY: (&str, &str) = ("key", "Only of the instrument of that key");
const LIMIT: (&str, &str) = ("limit", "Rows at most");
const OFFSET: (&str, &str) = ("offset", "Rows to leave out from the newest on");
const FOUND: &[(u16, &str)] = &[(200, "It is there"), (400, "Not understood"), (404, "Not there")];
const OK: &[(u16, &str)] = &[(200, "It is there")];
const TAGGED: &[(u16, &str)] =
    &[(200, "The state; its ETag is the position in the journal"), (304, "Nothing has changed")];

const fn api_route(
    path: &'static str,
    what: &'static str,
    query: &'static [(&'static str, &'static str)],
    answers: &'static [(u16, &'static str)],
    handler: fn() -> MethodRouter<App>,
) -> Route {
    Route { path, method: "get", what, query, answers, produces: JSON, handler }
}

/// The interface.
const ROUTES: &[Route] = &[
    api_route(
        "/api/scanner-state",
        "The table as the Python system's page has it",
        &[],
        TAGGED,
        || get(api::scanner_state),
    ),
    api_route("/api/v1/state", "Everything that the table shows", &[], TAGGED, || get(api::state)),
    Route {
        path: "/api/v1/stream",
        method: "get",
        what: "Changes as they come. The id of a message is the position in the journal; with it \
               in Last-Event-ID the stream goes on just there",
        query: &[],
        answers: &[(200, "A stream that does not end"), (503, "Too many listen")],
        produces: "text/event-stream",
        handler: || get(stream::stream),
    },
    api_route(
        "/api/v1/symbols/{key}",
        "An instrument's row, and why a bar made a signal or none",
        &[("bar", "Start of that bar, such as 2024-10-01T09:15, India; the newest if left out")],
        FOUND,
        || get(api::symbol),
    ),
    api_route(
        "/api/v1/bars",
        "Strategy bars of one instrument with their indicators, newest first",
        &[KEY, ("from", "From that time on"), ("to", "Before that time"), LIMIT, OFFSET],
        FOUND,
        || get(api::bars),
    ),
    api_route("/api/v1/signals", "Signals, newest first", &[KEY, LIMIT, OFFSET], FOUND, || {
        get(api::signals)
    }),
    api_route("/api/v1/trades", "Round trips, newest first", &[KEY, LIMIT, OFFSET], FOUND, || {
        get(api::trades)
    }),
    api_route(
        "/api/v1/events",
        "Events of the journal: the newest first, with `after` the oldest first",
        &[
            ("kind", "Only of these kinds, such as signal,fill"),
            KEY,
            ("after", "Only after that event, such as 5117.3"),
            ("before", "Only before that event"),
            ("from", "Only from that time on, such as 2024-10-01T09:15, India"),
            ("to", "Only before that time"),
            LIMIT,
        ],
        FOUND,
        || get(events::events),
    ),
    api_route(
        "/api/v1/parity",
        "The core again over the journal's inputs, each output held against what was recorded, \
         and each bar of the day: same, differs, or not-yet",
        &[],
        OK,
        || get(parity::parity),
    ),
    api_route("/api/v1/health", "How run, journal and feed are", &[], OK, || get(api::health)),
    api_route("/api/v1/runs", "The runs that lie beside this one", &[], OK, || get(runs::runs)),
    api_route("/api/v1/runs/{id}", "What became of a run", &[], FOUND, || get(runs::run)),
    api_route("/api/v1/openapi.json", "This description", &[], OK, || get(openapi)),
    Route {
        path: "/api/v1/control/{kind}",
        method: "post",
        what: "Asks something of the run: pause, resume, flatten, kill or release. Needs the \
               Origin of this server, JSON, and the token of this start in X-Lockstep-Token",
        query: &[],
        answers: &[
            (202, "The request is on the disk"),
            (400, "Not understood, or a release without its word"),
            (401, "No token, or an old one"),
            (403, "From elsewhere"),
            (409, "The run takes no requests"),
            (413, "More than 16 KiB"),
            (415, "No JSON"),
        ],
        produces: JSON,
        handler: || post(control::control),
    },
    Route {
        path: "/metrics",
        method: "get",
        what: "Numbers for Prometheus",
        query: &[],
        answers: OK,
        produces: "text/plain",
        handler: || get(metrics::metrics),
    },
];

/// The server.
pub fn router(app: &App) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, (route.handler)());
    }
    router
        .route("/", get(|| async { Redirect::temporary("/scanner") }))
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        .route("/assets/{hash}/{*name}", get(assets::asset))
        .merge(pages::router())
        .fallback(nothing)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .with_state(app.clone())
}

async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "nothing is here; /scanner is where to begin\n").into_response()
}

async fn openapi(State(_): State<App>) -> Response {
    let text = format!("{:#}\n", description());
    ([(header::CONTENT_TYPE, JSON)], text).into_response()
}

/// The interface as OpenAPI 3.1 describes such things.
pub fn description() -> Value {
    let paths: Map<String, Value> = ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), json!({ route.method: operation(route) })))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Lockstep scanner",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a run sees and did, from its journal. Times without a zone are \
                            India's; names that end in _utc are UTC; amounts are rupees.",
        },
        "paths": paths,
    })
}

fn operation(route: &Route) -> Value {
    let parameter = |name: &str, place: &str, what: &str| {
        json!({
            "name": name,
            "in": place,
            "required": place == "path",
            "description": what,
            "schema": { "type": "string" },
        })
    };
    let in_path = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(parameter(name, "path", "Which"))
    });
    let in_query = route.query.iter().map(|(name, what)| parameter(name, "query", what));
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let answers = route.answers.iter().map(|(status, what)| {
        let content = match status {
            200 | 202 => json!({ "description": what, "content": { route.produces: {} } }),
            _ => json!({ "description": what }),
        };
        (status.to_string(), content)
    });
    let answers: Map<String, Value> = answers.collect();
    json!({ "summary": route.what, "parameters": parameters, "responses": answers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_says_what_the_table_says() {
        insta::assert_snapshot!(format!("{:#}", description()));
    }

    #[test]
    fn every_address_is_described_once() {
        let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), ROUTES.len());
        assert_eq!(description()["paths"].as_object().unwrap().len(), ROUTES.len());
    }
}
