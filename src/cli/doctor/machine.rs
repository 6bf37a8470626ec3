//! The program, the machine and the terminal.

use std::fs;

use super::report::{Line, State};
use crate::domain::event::CORE_VERSION;

/// The time zone in which all times are shown.
const ZONE: &str = "Asia/Kolkata";

pub fn version(is_debug: bool) -> Line {
    let fact = format!("lockstep {} · core {CORE_VERSION}", env!("CARGO_PKG_VERSION"));
    match is_debug {
        false => Line::new("Version", State::Ok, format!("{fact} · release build")),
        true => {
            Line::new("Version", State::Note, format!("{fact} · debug build, many times slower"))
                .hint("`cargo build --release` builds the quick one")
        }
    }
}

pub fn cores() -> Line {
    match std::thread::available_parallelism() {
        Ok(count) => Line::new("Cores", State::Ok, count.to_string()),
        Err(error) => Line::new("Cores", State::Note, format!("not known: {error}"))
            .hint("`--threads N` says how many to use; otherwise it is one"),
    }
}

/// The zone's name as the machine is set: `TZ`, or where its clock file points.
pub fn machine_zone() -> Option<String> {
    let named = std::env::var("TZ").ok().map(|name| name.trim_start_matches(':').to_owned());
    named.filter(|name| !name.is_empty()).or_else(|| {
        let target = fs::read_link("/etc/localtime").ok()?;
        let (_, name) = target.to_str()?.split_once("zoneinfo/")?;
        Some(name.to_owned())
    })
}

pub fn zone(name: Option<&str>) -> Line {
    match name {
        // The old name is a link to the new one.
        Some(name @ (ZONE | "Asia/Calcutta")) => Line::new("Zone", State::Ok, name),
        other => Line::new(
            "Zone",
            State::Note,
            format!("{}: does not matter, times are shown in {ZONE}", other.unwrap_or("not known")),
        ),
    }
}

pub fn terminal(is_terminal: bool, is_coloured: bool, width: Option<u16>) -> Line {
    let colour = if is_coloured { "colour" } else { "no colour" };
    let fact = match (is_terminal, width) {
        (false, _) => "stdout is none: no colour, tables as wide as they are".to_owned(),
        (true, None) => format!("{colour} · width not known"),
        (true, Some(width)) => format!("{colour} · {width} columns"),
    };
    match width {
        Some(width) if is_terminal && width < 80 => {
            Line::new("Terminal", State::Note, fact).hint("tables are made for 80 columns and more")
        }
        _ => Line::new("Terminal", State::Ok, fact),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::{exit, text};
    use super::*;
    use crate::cli::exit::Exit;
    use crate::golden::render::Paint;

    #[test]
    fn zone_terminal_and_build_are_never_problems() {
        let lines = [
            version(true),
            version(false),
            zone(Some("Asia/Kolkata")),
            zone(Some("Etc/UTC")),
            zone(None),
            terminal(true, true, Some(120)),
            terminal(true, false, Some(60)),
            terminal(false, false, None),
        ];
        insta::assert_snapshot!(text(&lines, Paint::Plain, None), @"
        Version   note  lockstep 0.1.0 · core 2 · debug build, many times slower
                        help: `cargo build --release` builds the quick one
        Version   ok    lockstep 0.1.0 · core 2 · release build
        Zone      ok    Asia/Kolkata
        Zone      note  Etc/UTC: does not matter, times are shown in Asia/Kolkata
        Zone      note  not known: does not matter, times are shown in Asia/Kolkata
        Terminal  ok    colour · 120 columns
        Terminal  note  no colour · 60 columns
                        help: tables are made for 80 columns and more
        Terminal  ok    stdout is none: no colour, tables as wide as they are
        ");
        assert_eq!(exit(&lines), Exit::Same);
    }
}
