//! What was found, and how it is told: a table that fits the terminal, or JSON.

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::super::exit::Exit;
use crate::golden::render::Paint;

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// Worth knowing; everything works, or it could not be looked at.
    Note,
    /// Something will not work.
    Problem,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Note => "note",
            State::Problem => "problem",
        }
    }

    const fn color(self) -> Color {
        match self {
            State::Ok => Color::DarkGreen,
            State::Note => Color::DarkYellow,
            State::Problem => Color::Red,
        }
    }
}

/// What was found about one thing.
#[derive(Clone, Debug)]
pub struct Line {
    pub label: &'static str,
    pub state: State,
    pub fact: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Line {
    pub fn new(label: &'static str, state: State, fact: impl Into<String>) -> Line {
        Line { label, state, fact: fact.into(), help: None }
    }

    pub fn hint(mut self, help: impl Into<String>) -> Line {
        self.help = Some(help.into());
        self
    }
}

/// A problem is the one thing that is not well.
pub fn exit(lines: &[Line]) -> Exit {
    match lines.iter().any(|line| line.state == State::Problem) {
        true => Exit::Usage,
        false => Exit::Same,
    }
}

/// A table of the lines, as wide as the terminal unless told; without either, as wide as they are.
pub fn text(lines: &[Line], paint: Paint, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    match paint {
        Paint::Plain => table.force_no_tty(),
        Paint::Ansi => table.enforce_styling(),
    };
    if let Some(width) = width {
        table.set_width(width);
    }
    for Line { label, state, fact, help } in lines {
        let help = help.as_ref().map_or_else(String::new, |help| format!("\nhelp: {help}"));
        let state = Cell::new(state.word()).fg(state.color());
        table.add_row([Cell::new(label), state, Cell::new(format!("{fact}{help}"))]);
    }
    format!("{}\n", table.trim_fmt())
}

/// All of it as one document.
pub fn json(lines: &[Line]) -> String {
    let line = |line: &Line| {
        json!({
            "what": line.label,
            "state": line.state.word(),
            "fact": line.fact,
            "help": line.help,
        })
    };
    let checks: Vec<Value> = lines.iter().map(line).collect();
    let count = |state: State| lines.iter().filter(|line| line.state == state).count();
    let (notes, problems) = (count(State::Note), count(State::Problem));
    let document = json!({ "checks": checks, "notes": notes, "problems": problems });
    format!("{document:#}\n")
}

/// Names of things that are spelled out in one line.
const NAMES_MAX: usize = 5;

/// Names with commas between, the first few of them.
pub fn shortened(names: &[&str]) -> String {
    match names.len().checked_sub(NAMES_MAX) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..NAMES_MAX].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> [Line; 3] {
        [
            Line::new("Version", State::Ok, "lockstep 0.1.0"),
            Line::new("Zone", State::Note, "a fact that is too long for a narrow terminal")
                .hint("what to do about it, which is long as well"),
            Line::new("Runs", State::Problem, "gone"),
        ]
    }

    #[test]
    fn a_table_fits_the_terminal() {
        insta::assert_snapshot!(text(&lines(), Paint::Plain, Some(44)), @"
        Version  ok       lockstep 0.1.0
        Zone     note     a fact that is too long
                          for a narrow terminal
                          help: what to do about
                          it, which is long as
                          well
        Runs     problem  gone
        ");
        insta::assert_snapshot!(text(&lines(), Paint::Plain, None), @"
        Version  ok       lockstep 0.1.0
        Zone     note     a fact that is too long for a narrow terminal
                          help: what to do about it, which is long as well
        Runs     problem  gone
        ");
    }

    #[test]
    fn the_state_is_painted_where_somebody_looks() {
        let painted = text(&lines(), Paint::Ansi, Some(80));
        assert!(painted.contains("\x1b[") && painted.contains("problem"), "{painted}");
        assert!(!text(&lines(), Paint::Plain, Some(80)).contains('\x1b'));
    }

    #[test]
    fn programs_get_the_same() {
        let document: Value = serde_json::from_str(&json(&lines())).unwrap();
        assert_eq!((document["notes"].clone(), document["problems"].clone()), (1.into(), 1.into()));
        assert_eq!(document["checks"][1]["help"], "what to do about it, which is long as well");
        assert_eq!(document["checks"][0]["help"], Value::Null);
        assert_eq!((exit(&lines()), exit(&lines()[..2])), (Exit::Usage, Exit::Same));
    }
}
