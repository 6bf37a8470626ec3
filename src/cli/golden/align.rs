//! `lockstep golden align`: somebody's signals held against live over the same history, always in
//! two numbers, and every difference with the one change that removes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::prepare;
use crate::cli::terminal::fact;
use crate::domain::config::Profile;
use crate::domain::fact::SignalKind;
use crate::driver::align::ground::Ground;
use crate::driver::align::trials::Lived;
use crate::driver::align::world::World;
use crate::driver::align::{Aligned, Origin, align, align_with};
use crate::golden::align::TOLERANCES;
use crate::golden::align::class::{Class, Explained};
use crate::golden::align::tally::{self, By, Tally};
use crate::sources::columns::BarColumns;

use super::import::{self, FileArgs, Imported};

/// Arguments of `lockstep golden align`.
#[derive(Clone, Debug, clap::Args)]
pub struct AlignArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The rules that your signals are held against: causal, or compat-live
    #[arg(long, value_name = "PROFILE", default_value = "causal", value_parser = profile)]
    live: Profile,
    /// Hold your signals against this recorded run instead, with the minutes and the settings that
    /// it had
    #[arg(long, value_name = "RUN", conflicts_with = "live")]
    run: Option<PathBuf>,
    /// Count by symbol, type, side or month as well
    #[arg(long, value_name = "WHAT")]
    by: Option<ByChoice>,
    /// Rows of the table of differences for people; json and csv have all
    #[arg(long, value_name = "N", default_value = "30")]
    max_diffs: usize,
    /// What goes to stdout: human, json, or csv (the differences)
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

/// What signals are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ByChoice {
    /// The instrument.
    Symbol,
    /// The condition.
    Type,
    /// Which way.
    Side,
    /// The month of the bar.
    Month,
}

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Tables for people.
    Human,
    /// One JSON object.
    Json,
    /// The differences as CSV.
    Csv,
}

fn profile(word: &str) -> Result<Profile, String> {
    Profile::from_word(word).ok_or_else(|| "must be causal or compat-live".to_owned())
}

/// Runs `lockstep golden align`.
///
/// # Errors
/// When the file cannot be imported. A difference is no error but [`Exit::Differs`].
pub fn execute(args: &AlignArgs, replays: &Path) -> Result<(String, Exit), Failure> {
    let mut imported = import::import(&args.file, replays, &prepare::market()?)?;
    let aligned = match &args.run {
        None => align(&imported.ground, args.live, &imported.placed.golden),
        Some(run) => align_with_run(&mut imported, run)?,
    };
    let text = match args.format {
        Format::Human => human(args, &imported, &aligned),
        Format::Json => format!("{:#}\n", document(args, &imported, &aligned)),
        Format::Csv => table_of(&imported, &aligned.explained),
    };
    let exit = if aligned.given.is_same() { Exit::Same } else { Exit::Differs };
    Ok((text, exit))
}

/// Holds the golden against a run that was recorded, over the days that this was active. The rules
/// are asked again in the run's own world.
fn align_with_run(imported: &mut Imported, dir: &Path) -> Result<Aligned, Failure> {
    let (live, told) = prepare::world_of_run(dir)?;
    let first = live.run.config.active_from;
    let last = live.run.sessions.last().map_or(first.date(), |session| session.date);
    let (mut golden, _) = World::of_replay(&imported.replay, 1).map_err(prepare::broken_off)?;
    // The days of the run are a choice, and no difference.
    golden.run.config.active_from = first;
    golden.run.sessions.retain(|session| session.date <= last);
    golden.minutes.iter_mut().for_each(|all| all.retain(|bar| bar.open_time.date() <= last));
    golden.commands.retain(|command| command.time.date() <= last);
    let rows = &mut imported.placed.golden;
    let all = rows.len();
    rows.retain(|row| row.bar_time >= first && row.bar_time.date() <= last);
    if rows.is_empty() {
        return Err(Failure::new(Exit::Nothing, "no row of the file is about the days of the run")
            .at(dir.display())
            .because(format!("the run was active from {first} to {last}")));
    }
    if rows.len() < all {
        let outside = all - rows.len();
        let note = format!("{outside} rows lie outside the days of the run, {first} to {last}");
        imported.placed.notes.push(note);
    }
    let lived = Lived::of_run(&golden, &live, &told.signals)
        .map_err(|error| prepare::other_symbols(&error, dir))?;
    let columns = live.minutes.iter().map(|all| BarColumns::from_bars(all.iter()));
    let columns: Vec<BarColumns> = columns.collect();
    imported.ground = Ground::of_minutes(&live.run, &columns, &live.commands);
    Ok(align_with(&imported.ground, &lived, &imported.placed.golden))
}

impl AlignArgs {
    /// What the golden is held against.
    fn live_name(&self) -> String {
        match &self.run {
            Some(run) => run.display().to_string(),
            None => self.live.to_string(),
        }
    }
}

/// How many differences each class has, classes without any left out but for the unexplained.
fn classes(explained: &[Explained]) -> BTreeMap<Class, usize> {
    let mut classes = BTreeMap::from([(Class::Unexplained, 0)]);
    for one in explained {
        *classes.entry(one.class).or_default() += 1;
    }
    classes
}

fn human(args: &AlignArgs, imported: &Imported, aligned: &Aligned) -> String {
    let mut text = imported.facts();
    let same_as_ours =
        aligned.runs.iter().any(|(origin, run)| *origin == Origin::Causal && run.is_same());
    if same_as_ours {
        let what =
            "every row equals our own causal run; if lockstep made the file, it proves nothing";
        text.push_str(&fact("note", what));
    }
    text.push_str(&fact("Origin", &format!("repeated best by {}", aligned.origin.word())));
    text.push_str(&fact("Exact", TOLERANCES));
    text.push('\n');
    let mut runs =
        new_table(["Held against", "Same", "Other values", "Golden only", "Live only", "Aligned"]);
    for (origin, run) in &aligned.runs {
        runs.add_row(row(origin.word(), tally::total(run)));
    }
    writeln!(text, "{}\n", runs.trim_fmt()).expect("to a String");
    let mut numbers = new_table([
        &*format!("With live ({})", args.live_name()),
        "Same",
        "Other values",
        "Golden only",
        "Live only",
        "Aligned",
    ]);
    numbers.add_row(row("golden as given", tally::total(&aligned.given)));
    numbers.add_row(row("golden made causal", tally::total(&aligned.made_causal)));
    writeln!(text, "{}", numbers.trim_fmt()).expect("to a String");
    if let Some(by) = args.by {
        let mut groups =
            new_table(["As given", "Same", "Other values", "Golden only", "Live only", "Aligned"]);
        for (name, tally) in tally::by(&aligned.given, by.meant(), &imported.ground.run.instruments)
        {
            groups.add_row(row(&name, tally));
        }
        writeln!(text, "\n{}", groups.trim_fmt()).expect("to a String");
    }
    let classes = classes(&aligned.explained);
    let classes = classes.iter().map(|(class, count)| format!("{} {count}", class.word()));
    let classes = classes.collect::<Vec<_>>().join(" · ");
    text.push('\n');
    text.push_str(&fact("Causes", &classes));
    if !aligned.explained.is_empty() {
        writeln!(text, "\n{}", differences(args, imported, aligned)).expect("to a String");
    }
    text
}

fn differences(args: &AlignArgs, imported: &Imported, aligned: &Aligned) -> String {
    let mut table = new_table(["Symbol", "Bar", "Signal", "Difference", "Cause", "Gone if"]);
    for one in aligned.explained.iter().take(args.max_diffs) {
        let [key, bar, side, kind, what, class, witness] = cells(imported, one);
        let date = one.difference.bar_time.date();
        let run = &imported.ground.run;
        let instrument = &run.instruments[one.difference.instrument.index()];
        let symbol = instrument.symbol_at(date);
        let symbol = if symbol.is_empty() { key } else { symbol.to_owned() };
        table.add_row([symbol, bar, format!("{side} {kind}"), what, class, witness]);
    }
    let mut text = table.trim_fmt();
    let hidden = aligned.explained.len().saturating_sub(args.max_diffs);
    if hidden > 0 {
        write!(text, "\nand {hidden} more; --max-diffs or --format csv shows them")
            .expect("to a String");
    }
    text
}

fn new_table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header(header);
    table
}

fn row(name: &str, tally: Tally) -> [String; 6] {
    let Tally { same, values, golden_only, live_only } = tally;
    let percent = tally.percent().map_or("-".to_owned(), |percent| format!("{percent:.1} %"));
    let [same, values, golden_only, live_only] =
        [same, values, golden_only, live_only].map(|count| count.to_string());
    [name.to_owned(), same, values, golden_only, live_only, percent]
}

/// Key, bar, side, type, how they part, class, witness.
fn cells(imported: &Imported, one: &Explained) -> [String; 7] {
    let (side, kind) = one.difference.what.signal_words();
    let run = &imported.ground.run;
    [
        run.instruments[one.difference.instrument.index()].key.clone(),
        one.difference.bar_time.to_string(),
        side.to_string(),
        kind.map_or("-", SignalKind::word).to_owned(),
        one.difference.what.words(),
        one.class.word().to_owned(),
        one.witness.as_ref().map_or("-".to_owned(), ToString::to_string),
    ]
}

fn table_of(imported: &Imported, explained: &[Explained]) -> String {
    let mut text = "key,bar_time,side,type,difference,class,witness\n".to_owned();
    for one in explained {
        let fields = cells(imported, one).map(|field| match field.contains(',') {
            true => format!("\"{field}\""),
            false => field,
        });
        writeln!(text, "{}", fields.join(",")).expect("to a String");
    }
    text
}

fn document(args: &AlignArgs, imported: &Imported, aligned: &Aligned) -> Value {
    let of = |tally: Tally| {
        json!({
            "same": tally.same, "other_values": tally.values, "golden_only": tally.golden_only,
            "live_only": tally.live_only, "aligned_percent": tally.percent(),
        })
    };
    let runs = aligned.runs.iter();
    let runs: BTreeMap<&str, Value> =
        runs.map(|(origin, run)| (origin.word(), of(tally::total(run)))).collect();
    let by = args.by.map(|by| {
        let groups = tally::by(&aligned.given, by.meant(), &imported.ground.run.instruments);
        groups.into_iter().map(|(name, tally)| (name, of(tally))).collect::<BTreeMap<_, _>>()
    });
    let names = ["key", "bar_time", "side", "type", "difference", "class", "witness"];
    let difference =
        |one: &Explained| names.into_iter().zip(cells(imported, one)).collect::<BTreeMap<_, _>>();
    let classes = classes(&aligned.explained).into_iter();
    json!({
        "live": args.live_name(),
        "origin": aligned.origin.word(),
        "signals": imported.placed.golden.len(),
        "notes": imported.placed.notes,
        "tolerance": TOLERANCES,
        "as_given": of(tally::total(&aligned.given)),
        "made_causal": of(tally::total(&aligned.made_causal)),
        "held_against": runs,
        "by": by,
        "classes": classes.map(|(class, count)| (class.word(), count)).collect::<BTreeMap<_, _>>(),
        "differences": aligned.explained.iter().map(difference).collect::<Vec<_>>(),
    })
}

impl ByChoice {
    const fn meant(self) -> By {
        match self {
            ByChoice::Symbol => By::Symbol,
            ByChoice::Type => By::Kind,
            ByChoice::Side => By::Side,
            ByChoice::Month => By::Month,
        }
    }
}
