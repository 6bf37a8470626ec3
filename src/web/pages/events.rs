//! `/events`: the journal, filtered by kind, instrument and time, a page at a time.

use axum::extract::State;
use axum::response::Response;

use crate::web::api::{Params, Refused};
use crate::web::app::App;
use crate::web::events::{Page as Found, find, words};

use super::html::{Page, Safe, encoded, framed, refused};

/// The page.
pub async fn page(State(app): State<App>, params: Params) -> Response {
    match body(&app, &params).await {
        Ok(body) => {
            let (title, place) = ("Events", "/events");
            framed(&app, &Page { title, place, script: None, vendor: &[], body })
        }
        Err(no) => refused(&app, &no),
    }
}

async fn body(app: &App, params: &Params) -> Result<String, Refused> {
    let found = find(app, params).await?;
    Ok(format!("<h1>Events</h1>\n{}{}{}", form(app, params), table(&found), pager(params, &found)))
}

fn option(value: &str, name: &str, chosen: &str) -> String {
    let selected = if value == chosen { " selected" } else { "" };
    format!("<option value=\"{}\"{selected}>{}</option>", Safe(value), Safe(name))
}

fn form(app: &App, params: &Params) -> String {
    let kind = params.text("kind").unwrap_or_default();
    let key = params.text("key").unwrap_or_default();
    let mut kinds = option("", "what people care for", kind);
    words().for_each(|word| kinds += &option(word, word, kind));
    if kind.contains(',') {
        kinds += &option(kind, kind, kind);
    }
    let mut keys = option("", "all", key);
    let model = app.model();
    for row in &model.view.rows {
        keys += &option(&row.key, &row.symbol, key);
    }
    format!(
        "<form class=\"filter\" method=\"get\" action=\"/events\">\n\
         <span class=\"pair\"><label for=\"kind\">Kind</label>\
         <select id=\"kind\" name=\"kind\">{kinds}</select></span>\n\
         <span class=\"pair\"><label for=\"key\">Symbol</label>\
         <select id=\"key\" name=\"key\">{keys}</select></span>\n\
         {}{}<button>Show</button></form>\n",
        time(params, "from", "From"),
        time(params, "to", "Before"),
    )
}

/// A field for a time in India.
fn time(params: &Params, name: &str, label: &str) -> String {
    format!(
        "<span class=\"pair\"><label for=\"{name}\">{label}</label>\
         <input id=\"{name}\" name=\"{name}\" type=\"datetime-local\" value=\"{}\"></span>\n",
        Safe(params.text(name).unwrap_or_default())
    )
}

fn table(found: &Found) -> String {
    let rows: String = found
        .events
        .iter()
        .map(|event| {
            let words = event.text.split_once(' ').map_or("", |(_, rest)| rest);
            format!(
                "<tr id=\"e{0}\"><th scope=\"row\" class=\"num\">{0}</th><td>{1}</td><td>{2}</td>\
                 <td class=\"line\">{3}</td></tr>\n",
                Safe(&event.id),
                Safe(event.time.as_deref().unwrap_or("–")),
                Safe(&event.kind),
                Safe(words)
            )
        })
        .collect();
    if rows.is_empty() {
        return "<p class=\"hint\">No such events.</p>\n".to_owned();
    }
    format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"Events\" tabindex=\"0\">\
         <table class=\"told\"><thead><tr><th scope=\"col\">Event</th><th scope=\"col\">Time (IST)</th>\
         <th scope=\"col\">Kind</th><th scope=\"col\">What it says</th></tr></thead>\n\
         <tbody>{rows}</tbody></table></div>\n"
    )
}

/// Links to what is older and to what is newer.
fn pager(params: &Params, found: &Found) -> String {
    let with = |name: &str, value: &str| {
        let mut query = format!("{name}={}", encoded(value));
        for kept in ["kind", "key", "from", "to", "limit"] {
            if let Some(value) = params.text(kept).filter(|value| !value.is_empty()) {
                query += &format!("&amp;{kept}={}", encoded(value));
            }
        }
        format!("/events?{query}")
    };
    let mut links = Vec::new();
    let is_ascending = params.text("after").is_some_and(|after| !after.is_empty());
    let ends = found.events.first().zip(found.events.last());
    if let Some((first, last)) = ends {
        let (newest, oldest) = if is_ascending { (last, first) } else { (first, last) };
        if found.has_more || is_ascending {
            links
                .push(format!("<a rel=\"next\" href=\"{}\">Older</a>", with("before", &oldest.id)));
        }
        links.push(format!("<a rel=\"prev\" href=\"{}\">Newer</a>", with("after", &newest.id)));
    }
    links.push("<a href=\"/events\">Newest</a>".to_owned());
    format!("<p class=\"pager\">{}</p>\n", links.join(" "))
}
