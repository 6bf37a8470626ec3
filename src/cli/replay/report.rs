//! A finished replay in words: one line per fact for people, one object for programs, the signals
//! for whoever wants to look at them.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::exit::Exit;
use crate::cli::facts;
use crate::cli::failure::Failure;
use crate::cli::terminal::{self, grouped};
use crate::domain::event::RunStarted;
use crate::domain::session::{Session, SessionKind};
use crate::driver::plan::DateRange;
use crate::golden::compare::Comparison;
use crate::golden::export;
use crate::golden::render::{Labels, Paint, render};
use crate::golden::table::TableKind;

use super::{Done, Format};

/// Prints the replay as asked and says how the command ends.
pub fn print(done: &Done<'_>, format: Format, diffs_max: usize) -> Result<Exit, Failure> {
    let exit = match &done.golden {
        Ok((_, comparison)) if !comparison.is_same() => Exit::Differs,
        _ => Exit::Same,
    };
    let text = match format {
        Format::Human => human(done) + &difference(done, terminal::stdout_paint(), diffs_max),
        Format::Json => format!("{:#}\n", as_json(done, exit, diffs_max)),
        Format::Csv => {
            let words = human(done) + &difference(done, Paint::Plain, diffs_max);
            terminal::say(words.trim_end());
            String::from_utf8_lossy(&done.book.signals.to_csv()).into_owned()
        }
    };
    terminal::print(&text)?;
    Ok(exit)
}

fn human(done: &Done<'_>) -> String {
    let mut text = String::new();
    for (label, fact) in facts(done) {
        text.push_str(&terminal::fact(label, &fact));
    }
    text
}

fn facts(done: &Done<'_>) -> Vec<(&'static str, String)> {
    let bars_refused = &done.summary.bars_refused;
    let mut facts = vec![("Data", data(done)), ("Days", days(done)), ("Config", config(done))];
    facts.push(("Replay", replay(done)));
    if !bars_refused.is_empty() {
        let total = bars_refused.values().sum();
        facts.push((
            "Refused",
            format!("{} bars · {}", grouped(total), facts::counts(bars_refused)),
        ));
    }
    facts.extend(facts::outcome(&done.summary));
    facts.push(("Golden", golden(done)));
    if let Some(dir) = &done.run_dir {
        let (records, bytes) = (grouped(done.sealed.records), done.sealed.bytes);
        let size = bytes as f64 / 1_000_000.0;
        facts.push(("Journal", format!("{} · {records} events · {size:.1} MB", dir.display())));
    }
    facts.push((
        "Digest",
        format!("run {} · all events {}", &done.run_id[..12], done.sealed.digest.short()),
    ));
    facts
}

fn data(done: &Done<'_>) -> String {
    let run = done.run;
    let symbols = run.instruments.iter().map(|it| it.symbol_at(done.shown.first));
    format!(
        "{} · {} · {} 1m bars · blake3 {}",
        done.name,
        symbols.collect::<Vec<_>>().join(", "),
        grouped(done.summary.bars),
        &data_hash(run)[..8],
    )
}

fn days(done: &Done<'_>) -> String {
    let DateRange { first, last } = done.shown;
    let sessions = &done.run.sessions;
    let before = sessions.partition_point(|session| session.date < first);
    let is_shown = |session: &&Session| (first..=last).contains(&session.date);
    let count = sessions.iter().filter(is_shown).count();
    let is_muhurat = |session: &&Session| session.kind == SessionKind::Muhurat;
    let muhurat = match sessions.iter().filter(is_shown).filter(is_muhurat).count() {
        0 => String::new(),
        muhurat => format!(" ({muhurat} Muhurat)"),
    };
    format!("{first} to {last} · {count} sessions{muhurat} after {before} that warm up")
}

/// One hash for all files of the history.
fn data_hash(run: &RunStarted) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in &run.data {
        hasher.update(format!("{} {}\n", file.name, file.blake3).as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn config(done: &Done<'_>) -> String {
    let config = &done.run.config;
    let mut profile = config.strategy.profile.to_string();
    let rules = [
        (format!("{} execution", config.execution.profile), done.by_profile.execution),
        (format!("fees {}", config.fees.name), done.by_profile.fees),
    ];
    let (brought, chosen): (Vec<_>, Vec<_>) = rules.iter().partition(|(_, is_brought)| *is_brought);
    let words = |rules: Vec<&(String, bool)>, between| {
        rules.into_iter().map(|(words, _)| words.as_str()).collect::<Vec<_>>().join(between)
    };
    if !brought.is_empty() {
        profile = format!("{profile}, so {}", words(brought, " and "));
    }
    if !chosen.is_empty() {
        profile = format!("{profile} · {}", words(chosen, " · "));
    }
    let (id, minutes) = (&config.strategy.id, config.strategy.bar_minutes);
    format!("{id} {minutes}m · {profile} · core {}", done.run.core_version)
}

fn replay(done: &Done<'_>) -> String {
    let seconds = done.seconds.max(1e-6);
    let rate = done.summary.bars as f64 / seconds;
    let incomplete = match done.summary.strategy_bars_incomplete {
        0 => String::new(),
        count => format!(" ({} incomplete)", grouped(count)),
    };
    format!(
        "{} strategy bars{incomplete} · {seconds:.2} s · {} bars/s",
        grouped(done.summary.strategy_bars),
        grouped(rate as u64),
    )
}

fn golden(done: &Done<'_>) -> String {
    let (dir, comparison) = match &done.golden {
        Ok(found) => found,
        Err(why) => return format!("not compared: {why}"),
    };
    let parts = comparison.counts.iter().map(|counts| {
        format!(
            "{} {}/{}",
            counts.table.file().trim_end_matches(".csv"),
            grouped(counts.equal as u64),
            grouped(counts.golden as u64)
        )
    });
    let parts = parts.collect::<Vec<_>>().join(" · ");
    format!("{} · {parts} · {}", comparison.verdict(), dir.display())
}

fn difference(done: &Done<'_>, paint: Paint, diffs_max: usize) -> String {
    let Ok((dir, comparison)) = &done.golden else {
        return String::new();
    };
    if comparison.is_same() && comparison.approved.is_empty() {
        return String::new();
    }
    let help = help(done, dir);
    let labels =
        Labels { place: dir, has_files: true, golden: "golden", replay: "replay", help: &help };
    format!("\n{}", render(comparison, &labels, paint, diffs_max))
}

fn help(done: &Done<'_>, dir: &Path) -> Vec<String> {
    let case = dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut help = Vec::new();
    if let Some(dir) = &done.run_dir {
        help.push(format!(
            "`lockstep journal cat {}` shows every event of this run",
            dir.display()
        ));
    }
    if let Some(case) = case {
        help.push(format!("`lockstep golden review --case {case}` if the new behaviour is right"));
    }
    help
}

fn as_json(done: &Done<'_>, exit: Exit, diffs_max: usize) -> Value {
    let summary = &done.summary;
    let by_word = |counts: Vec<(String, u64)>| -> Value {
        counts.into_iter().map(|(word, count)| (word, json!(count))).collect::<Map<_, _>>().into()
    };
    let words = |counts: &std::collections::BTreeMap<_, u64>| {
        by_word(
            counts
                .iter()
                .map(|(k, v): (&crate::domain::fact::RejectReason, _)| (k.to_string(), *v))
                .collect(),
        )
    };
    let signals = summary.signals.iter();
    let signals = signals.map(|((kind, side), count)| (format!("{side} {kind}"), *count)).collect();
    let exits = summary.exits.iter().map(|(reason, count)| (reason.to_string(), *count)).collect();
    let golden = match &done.golden {
        Ok((dir, comparison)) => golden_json(dir, comparison, diffs_max),
        Err(why) => json!({ "compared": false, "why": why }),
    };
    json!({
        "case": done.name,
        "from": done.shown.first.to_string(),
        "to": done.shown.last.to_string(),
        "symbols": done.run.instruments.iter().map(|it| &it.key).collect::<Vec<_>>(),
        "sessions": summary.days.len(),
        "bars": summary.bars,
        "bars_refused": words(&summary.bars_refused),
        "strategy_bars": summary.strategy_bars,
        "signals": by_word(signals),
        "signals_total": summary.signals_total(),
        "signals_declined": words(&summary.signals_refused),
        "fills": summary.fills,
        "exits": by_word(exits),
        "trades": summary.trades.len(),
        "wins": summary.wins(),
        "gross": summary.gross().to_string(),
        "fees": summary.fees().to_string(),
        "net": summary.net().to_string(),
        "halts": summary.halts,
        "run_id": done.run_id,
        "digest": done.sealed.digest.to_string(),
        "records": done.sealed.records,
        "journal": done.run_dir.as_ref().map(|dir| dir.display().to_string()),
        "golden": golden,
        "exit": exit as u8,
    })
}

fn golden_json(dir: &Path, comparison: &Comparison, diffs_max: usize) -> Value {
    let labels =
        Labels { place: dir, has_files: true, golden: "golden", replay: "replay", help: &[] };
    let mut value = export::json(comparison, &labels, diffs_max);
    if let Value::Object(fields) = &mut value {
        fields.insert("compared".to_owned(), json!(true));
        let tables = TableKind::ALL.map(TableKind::file);
        fields.insert("files".to_owned(), json!(tables));
    }
    value
}
