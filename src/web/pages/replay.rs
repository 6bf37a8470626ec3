//! `/replay/{id}`: the table as it was at any event of a run, a step, a bar or a signal at a time.
//! The journal is folded from its beginning each time; nothing is remembered between two steps.

use std::path::Path as File;

use axum::extract::{Path, State};
use axum::response::Response;

use crate::domain::event::{Event, Output, Record};
use crate::journal::error::JournalError;
use crate::journal::reader::Reader;
use crate::sinks::scanner::Scanner;
use crate::sinks::scanner::view::View;
use crate::web::api::{Params, Refused};
use crate::web::app::App;
use crate::web::runs::folder;

use super::html::{Page, Safe, encoded, framed, grouped, refused};
use super::scanner::table;

/// How far a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// To the input that was named.
    Here,
    /// To the next strategy bar.
    Bar,
    /// To the next signal.
    Signal,
    /// To the end of the next day.
    Day,
}

impl Step {
    fn read(params: &Params) -> Result<Step, Refused> {
        match params.text("to") {
            None | Some("" | "here") => Ok(Step::Here),
            Some("bar") => Ok(Step::Bar),
            Some("signal") => Ok(Step::Signal),
            Some("day") => Ok(Step::Day),
            Some(_) => Err(Refused::bad("'to' has to be bar, signal or day")),
        }
    }

    /// Whether a step from input `at` ends with the input of this record.
    fn ends_with(self, at: u64, record: &Record) -> bool {
        let is_after = record.id.seq > at;
        match (self, &record.event) {
            (Step::Here, _) => record.id.seq >= at,
            (Step::Bar, Event::Output(Output::Bar15m(_))) => is_after,
            (Step::Signal, Event::Output(Output::Signal(_))) => is_after,
            (Step::Day, Event::Output(Output::SessionEnded(_))) => is_after,
            _ => false,
        }
    }
}

/// The state after the input that the step ends with; the last one if none does.
fn fold(dir: &File, at: u64, step: Step) -> Result<View, JournalError> {
    let mut reader = Reader::open(dir)?;
    let mut scanner = Scanner::default();
    let mut last = None;
    while let Some(record) = reader.next_record()? {
        // The rest of the input's outputs belongs to it.
        if last.is_some_and(|last| record.id.seq > last) {
            break;
        }
        if last.is_none() && step.ends_with(at, &record) {
            last = Some(record.id.seq);
        }
        scanner.take(&record);
    }
    Ok(scanner.view())
}

/// The page.
pub async fn page(State(app): State<App>, Path(id): Path<String>, params: Params) -> Response {
    match body(&app, &id, &params).await {
        Ok(body) => {
            let (place, script) = ("/runs", Some("replay.js"));
            framed(&app, &Page { title: "Replay", place, script, vendor: &[], body })
        }
        Err(no) => refused(&app, &no),
    }
}

async fn body(app: &App, id: &str, params: &Params) -> Result<String, Refused> {
    let at = params.text("at").filter(|at| !at.is_empty()).unwrap_or("0").parse();
    let at: u64 = at.map_err(|_| Refused::bad("'at' has to be the number of an input"))?;
    let step = Step::read(params)?;
    let (shared, name) = (app.clone(), id.to_owned());
    let view = app.heavily(move || {
        let no_run = || Refused::absent(format!("there is no run '{name}'"));
        let dir = folder(&shared, &name).ok_or_else(no_run)?;
        fold(&dir, at, step).map_err(|error| Refused::broken(&error))
    });
    let view = view.await??;
    Ok(format!(
        "<p><a href=\"/runs/{0}\" id=\"back\">← {1}</a></p>\n<h1>Replay</h1>\n\
         <div id=\"replay\" data-position=\"{2}\" data-status=\"{3}\">\n{4}{5}</div>\n\
         <div id=\"say\" class=\"visually-hidden\" aria-live=\"polite\"></div>\n",
        encoded(id),
        Safe(id),
        view.position,
        view.status,
        steps(id, &view),
        table(&view.rows)
    ))
}

fn steps(id: &str, view: &View) -> String {
    let link = |name: &str, query: &str| {
        format!("<a class=\"step\" href=\"/replay/{}?{query}\">{name}</a>\n", encoded(id))
    };
    let at = view.position;
    let links = [
        link("First", "at=0"),
        link("Next event", &format!("at={}", at + 1)),
        link("Next bar", &format!("at={at}&amp;to=bar")),
        link("Next signal", &format!("at={at}&amp;to=signal")),
        link("Next day", &format!("at={at}&amp;to=day")),
    ];
    format!(
        "<section class=\"facts\" aria-label=\"Place\">\n\
         <div><span class=\"label\">Market clock (IST)</span><b id=\"clock\">{}</b></div>\n\
         <div><span class=\"label\">Event</span><b>{}</b></div>\n\
         <div><span class=\"label\">Status</span><b>{}</b></div></section>\n\
         <nav class=\"pager\" aria-label=\"Steps\">{}</nav>\n",
        Safe(view.clock.as_deref().unwrap_or("–")),
        grouped(at),
        view.status,
        links.concat()
    )
}
