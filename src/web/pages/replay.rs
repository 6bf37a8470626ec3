//! `/replay/{id}`: the table as it was at any event of a run, an event, a bar, a signal or a day at
//! a time, forwards and backwards.

use axum::extract::{Path, State};
use axum::response::Response;

use crate::journal::error::JournalError;
use crate::sinks::scanner::view::View;
use crate::web::api::{Params, Refused};
use crate::web::app::App;
use crate::web::runs::folder;
use crate::web::shelf::{Sides, Volume};

use super::html::{Page, Safe, encoded, framed, grouped, refused};
use super::scanner::table;

/// How far a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// To the input that was named.
    Here,
    /// To the next strategy bar, or the one before.
    Bar,
    /// To the next signal, or the one before.
    Signal,
    /// To the next end of a day, or the one before.
    Day,
    /// To the end.
    End,
}

/// A step and its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    at: u64,
    step: Step,
    is_back: bool,
}

impl Wish {
    fn read(params: &Params) -> Result<Wish, Refused> {
        let at = params.text("at").filter(|at| !at.is_empty()).unwrap_or("0").parse();
        let at = at.map_err(|_| Refused::bad("'at' has to be the number of an input"))?;
        let (step, is_back) = match params.text("to") {
            None | Some("" | "here") => (Step::Here, false),
            Some("bar") => (Step::Bar, false),
            Some("signal") => (Step::Signal, false),
            Some("day") => (Step::Day, false),
            Some("end") => (Step::End, false),
            Some("bar-before") => (Step::Bar, true),
            Some("signal-before") => (Step::Signal, true),
            Some("day-before") => (Step::Day, true),
            Some(_) => {
                let words = "bar, signal, day (each also with -before), here or end";
                return Err(Refused::bad(format!("'to' has to be {words}")));
            }
        };
        Ok(Wish { at, step, is_back })
    }

    /// The input at which the step ends; where there is no further one, the last or the first.
    fn target(self, volume: &Volume) -> u64 {
        let sides: Sides = match self.step {
            Step::Here => return self.at.min(volume.last()),
            Step::End => return volume.last(),
            Step::Bar => volume.bars_about(self.at),
            Step::Signal => volume.signals_about(self.at),
            Step::Day => volume.days_about(self.at),
        };
        match self.is_back {
            true => sides.before.unwrap_or(0),
            false => sides.after.unwrap_or(volume.last()),
        }
    }
}

/// The state where a step ends, and the last input of all.
fn walked(volume: &Volume, wish: Wish) -> Result<(View, u64), JournalError> {
    Ok((volume.view_at(wish.target(volume))?, volume.last()))
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
    let wish = Wish::read(params)?;
    let (shared, name) = (app.clone(), id.to_owned());
    let walk = move || {
        let no_run = || Refused::absent(format!("there is no run '{name}'"));
        let dir = folder(&shared, &name).ok_or_else(no_run)?;
        let walked = shared.shelf.with(&dir, |volume| walked(volume, wish));
        walked.map_err(|error| Refused::broken(&error))
    };
    let (view, last) = app.heavily(walk).await??;
    Ok(format!(
        "<p><a href=\"/runs/{0}\" id=\"back\">← {1}</a></p>\n<h1>Replay</h1>\n\
         <div id=\"replay\" data-position=\"{2}\" data-status=\"{3}\">\n{4}{5}</div>\n\
         <div id=\"say\" class=\"visually-hidden\" aria-live=\"polite\"></div>\n",
        encoded(id),
        Safe(id),
        view.position,
        view.status,
        steps(id, &view, last),
        table(&view.rows)
    ))
}

/// Where it stands, and where one can go from there.
fn steps(id: &str, view: &View, last: u64) -> String {
    let at = view.position;
    let link = |name: &str, to: &str| {
        let query = if to.is_empty() { String::new() } else { format!("&amp;to={to}") };
        let href = format!("/replay/{}?at={at}{query}", encoded(id));
        format!("<a class=\"step\" href=\"{href}\">{name}</a>\n")
    };
    let plain = |name: &str, at: u64| {
        format!("<a class=\"step\" href=\"/replay/{}?at={at}\">{name}</a>\n", encoded(id))
    };
    let back = [
        plain("First", 0),
        link("Day before", "day-before"),
        link("Signal before", "signal-before"),
        link("Bar before", "bar-before"),
        plain("Event before", at.saturating_sub(1)),
    ];
    let forth = [
        plain("Next event", at + 1),
        link("Next bar", "bar"),
        link("Next signal", "signal"),
        link("Next day", "day"),
        link("Last", "end"),
    ];
    format!(
        "<section class=\"facts\" aria-label=\"Place\">\n\
         <div><span class=\"label\">Market clock (IST)</span><b id=\"clock\">{}</b></div>\n\
         <div><span class=\"label\">Event</span><b>{} of {}</b></div>\n\
         <div><span class=\"label\">Status</span><b>{}</b></div></section>\n\
         <nav class=\"steps\" aria-label=\"Steps\">\n<div>{}</div>\n<div>{}</div></nav>\n",
        Safe(view.clock.as_deref().unwrap_or("–")),
        grouped(at),
        grouped(last),
        view.status,
        back.concat(),
        forth.concat()
    )
}
