//! `lockstep data check`: what is wrong or remarkable in a store.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::prepare;
use super::{Format, parse_date, store_failure, unlisted_failure};
use crate::domain::time::Date;
use crate::driver::case::Case;
use crate::sources::inspect::{Finding, Kind, Report, Severity, inspect_folder};
use crate::sources::market::Market;
use crate::sources::store::Store;

/// How many findings of a kind the table shows.
const SHOWN: usize = 5;

/// Arguments of `lockstep data check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Directory of the history; needed without --case
    #[arg(required_unless_present = "case", conflicts_with = "case")]
    dir: Option<PathBuf>,
    /// Check the history of this case, and the labels that it gives its symbols
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Directory of the cases
    #[arg(long, value_name = "DIR", default_value = "replays")]
    replays: PathBuf,
    /// Only these keys
    #[arg(long, value_name = "KEY", num_args = 1..)]
    symbol: Vec<String>,
    /// First day, YYYY-MM-DD [default: the first there is]
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    from: Option<Date>,
    /// Last day, YYYY-MM-DD [default: the last there is]
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    to: Option<Date>,
    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl CheckArgs {
    /// These keys of a history, on these days, for people.
    pub(super) fn of(dir: &Path, keys: &[String], (from, to): (Date, Date)) -> CheckArgs {
        CheckArgs {
            dir: Some(dir.to_path_buf()),
            case: None,
            replays: PathBuf::new(),
            symbol: keys.to_vec(),
            from: Some(from),
            to: Some(to),
            format: Format::Human,
        }
    }
}

/// Inspects the store and writes the report.
pub(super) fn run(args: &CheckArgs, market: &Market) -> Result<(String, Exit), Failure> {
    let case = args.case.as_ref().map(|name| Case::load(&args.replays, name)).transpose();
    let case = case.map_err(|error| prepare::case_failure(error, &args.replays))?;
    let dir = match (&case, &args.dir) {
        (Some(case), _) => case.data.clone(),
        (None, dir) => dir.clone().unwrap_or_default(),
    };
    let mut reports = reports(args, &dir, market)?;
    if let Some(case) = &case {
        reports.iter_mut().for_each(|report| add_wrong_label(report, case, market));
    }
    let text = match args.format {
        Format::Human => human(&reports, None),
        Format::Json => json(&reports),
        Format::Csv => csv(&reports),
    };
    Ok((text, verdict(&reports)))
}

/// Says what a key truly is, first in its report and loudly on stderr.
fn add_wrong_label(report: &mut Report, case: &Case, market: &Market) {
    let Some(symbol) = case.symbols.iter().find(|symbol| symbol.key == report.key) else { return };
    let label = symbol.label.as_deref().unwrap_or_default();
    let Some(found) = market.disagreement(&symbol.key, label, case.range.first) else { return };
    prepare::warn_of_label(symbol, market, case.range.first);
    let truth = &found.truth;
    let detail = format!("labelled {label}, but is {} ({})", truth.name, truth.symbol);
    let finding = Finding { kind: Kind::WrongLabel, range: None, count: 1, detail };
    report.findings.insert(0, finding);
}

/// The report on every selected instrument, by key.
fn reports(args: &CheckArgs, dir: &Path, market: &Market) -> Result<Vec<Report>, Failure> {
    let store = Store::open(dir).map_err(store_failure)?;
    let folders = store.folders().map_err(store_failure)?;
    let is_wanted = |key: &str| args.symbol.is_empty() || args.symbol.iter().any(|s| s == key);
    let known: Vec<&str> = folders.iter().filter_map(|folder| folder.key.as_deref().ok()).collect();
    if let Some(missing) = args.symbol.iter().find(|symbol| !known.contains(&symbol.as_str())) {
        return Err(Failure::new(Exit::Usage, format!("the history has nothing of {missing}"))
            .at(dir.display())
            .because(format!("it has {}", known.join(", "))));
    }
    let mut reports = Vec::new();
    for folder in &folders {
        // A folder without a readable file has no key to select it by, but must not go unseen.
        let key = folder.key.as_deref();
        if key.is_ok_and(|key| !is_wanted(key)) || key.is_err() && !args.symbol.is_empty() {
            continue;
        }
        let instrument = key.ok().and_then(|key| market.instrument(key));
        let range = (args.from, args.to);
        let report = inspect_folder(&store, folder, range, &market.calendar, instrument);
        reports.push(report.map_err(|error| unlisted_failure(&error))?);
    }
    reports.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(reports)
}

/// Errors are damage, notes are not, and nothing looked at is neither.
fn verdict(reports: &[Report]) -> Exit {
    if reports.iter().any(|report| report.of(Severity::Error).next().is_some()) {
        Exit::Damaged
    } else if reports.iter().all(|report| report.rows == 0) {
        Exit::Nothing
    } else {
        Exit::Same
    }
}

/// A headline and a table for each instrument, findings of a kind cut short. The tables are as wide
/// as the terminal unless told.
fn human(reports: &[Report], width: Option<u16>) -> String {
    let mut text = String::new();
    for report in reports {
        let (errors, notes) =
            (report.of(Severity::Error).count(), report.of(Severity::Note).count());
        let range = report.range.map_or_else(String::new, |(a, b)| format!(" from {a} to {b}"));
        let named = if report.symbol == report.key { "" } else { &report.symbol };
        let head = format!("{} {named}", report.key);
        writeln!(
            text,
            "{}: {} bars{range}, {errors} errors, {notes} notes",
            head.trim_end(),
            report.rows
        )
        .expect("text takes every write");
        if !report.findings.is_empty() {
            writeln!(text, "{}\n", table(report, width).trim_fmt())
                .expect("text takes every write");
        }
    }
    text
}

fn table(report: &Report, width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table.set_header(["", "what", "when", "count", ""]);
    for kind in report.findings.chunk_by(|a, b| a.kind == b.kind) {
        for finding in kind.iter().take(SHOWN) {
            table.add_row([
                finding.kind.severity().word(),
                finding.kind.word(),
                &finding.range.map_or_else(String::new, |(first, _)| first.to_string()),
                &finding.count.to_string(),
                &finding.detail,
            ]);
        }
        if let Some(more) = kind.len().checked_sub(SHOWN + 1) {
            let rest = &kind[SHOWN..];
            let count: usize = rest.iter().map(|finding| finding.count).sum();
            let detail = format!("in {} more, see --format csv", more + 1);
            let (severity, word) = (kind[0].kind.severity().word(), kind[0].kind.word());
            table.add_row([severity, word, "...", &count.to_string(), &detail]);
        }
    }
    table
}

/// A finding as JSON and CSV have it.
#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    symbol: &'a str,
    severity: &'static str,
    kind: &'static str,
    from: Option<String>,
    to: Option<String>,
    count: usize,
    detail: &'a str,
}

fn lines(report: &Report) -> impl Iterator<Item = Line<'_>> {
    report.findings.iter().map(|finding| Line {
        key: &report.key,
        symbol: &report.symbol,
        severity: finding.kind.severity().word(),
        kind: finding.kind.word(),
        from: finding.range.map(|(first, _)| first.to_string()),
        to: finding.range.map(|(_, last)| last.to_string()),
        count: finding.count,
        detail: &finding.detail,
    })
}

fn json(reports: &[Report]) -> String {
    let instruments = reports.iter().map(|report| {
        serde_json::json!({
            "key": report.key,
            "symbol": report.symbol,
            "rows": report.rows,
            "from": report.range.map(|(first, _)| first.to_string()),
            "to": report.range.map(|(_, last)| last.to_string()),
            "findings": lines(report).collect::<Vec<_>>(),
        })
    });
    let document = serde_json::json!({ "instruments": instruments.collect::<Vec<_>>() });
    format!("{document:#}\n")
}

fn csv(reports: &[Report]) -> String {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let header = ["key", "symbol", "severity", "kind", "from", "to", "count", "detail"];
    writer.write_record(header).expect("memory takes every write");
    for line in reports.iter().flat_map(lines) {
        writer.serialize(line).expect("memory takes every write");
    }
    let bytes = writer.into_inner().expect("memory takes every write");
    String::from_utf8(bytes).expect("text was written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::sources::inspect::{Finding, Kind};

    fn report(findings: Vec<Finding>) -> Report {
        let at = |text| Timestamp::parse(text).unwrap();
        Report {
            key: "NSE_EQ|INE155A01022".into(),
            symbol: "TATAMOTORS".into(),
            rows: 750,
            range: Some((at("2024-10-01T09:15"), at("2024-10-03T15:29"))),
            findings,
        }
    }

    fn gap(minute: i64) -> Finding {
        let time = Timestamp::parse("2024-10-01T10:00").unwrap().plus_minutes(minute);
        let detail = "no bar, \"none\"".to_owned();
        Finding { kind: Kind::Gap, range: Some((time, time.plus_minutes(1))), count: 2, detail }
    }

    #[test]
    fn findings_of_a_kind_are_cut_short_in_the_table_only() {
        let reports = [report((0..8).map(gap).collect())];
        insta::assert_snapshot!(human(&reports, Some(90)), @r#"
        NSE_EQ|INE155A01022 TATAMOTORS: 750 bars from 2024-10-01T09:15 to 2024-10-03T15:29, 0 errors, 8 notes
               what  when              count
         note  gap   2024-10-01T10:00  2      no bar, "none"
         note  gap   2024-10-01T10:01  2      no bar, "none"
         note  gap   2024-10-01T10:02  2      no bar, "none"
         note  gap   2024-10-01T10:03  2      no bar, "none"
         note  gap   2024-10-01T10:04  2      no bar, "none"
         note  gap   ...               6      in 3 more, see --format csv
        "#);
        insta::assert_snapshot!(csv(&[report(vec![gap(0)])]), @r#"
        key,symbol,severity,kind,from,to,count,detail
        NSE_EQ|INE155A01022,TATAMOTORS,note,gap,2024-10-01T10:00,2024-10-01T10:01,2,"no bar, ""none"""
        "#);
        assert_eq!(csv(&reports).lines().count(), 9);
        let document: serde_json::Value = serde_json::from_str(&json(&reports)).unwrap();
        assert_eq!(document["instruments"][0]["findings"][7]["from"], "2024-10-01T10:07");
    }

    #[test]
    fn the_verdict_is_the_worst_that_was_found() {
        let error = Finding { kind: Kind::Duplicate, ..gap(0) };
        assert_eq!(verdict(&[report(vec![gap(0)])]), Exit::Same);
        assert_eq!(verdict(&[report(vec![gap(0)]), report(vec![error])]), Exit::Damaged);
        assert_eq!(verdict(&[]), Exit::Nothing);
    }
}
