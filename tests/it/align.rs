//! What the first user's backtest said against what live says, and why they part: every difference
//! with the single change that removes it. The facts are in `tests/fixtures/reference`.

use std::fmt::Write as _;

use lockstep::domain::config::Profile;
use lockstep::domain::event::RunStarted;
use lockstep::domain::fact::{Signal, SignalKind};
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::money::{Price, Qty, Side};
use lockstep::driver::align::ground::Ground;
use lockstep::driver::align::trials::Trials;
use lockstep::driver::align::{Aligned, Origin, align};
use lockstep::golden::align::class::Explained;
use lockstep::golden::align::tally::{self, Tally};
use lockstep::golden::align::{Alignment, Given, What};
use lockstep::sources::columns::BarColumns;

use crate::reference_live::{SYMBOLS, double, fixture, quarters, records, run_over, time};

fn run() -> RunStarted {
    run_over(&quarters())
}

/// The strategy bars of the reference, each as one minute.
fn ground() -> Ground {
    let columns = quarters().map(|bars| BarColumns::from_bars(bars.iter()));
    Ground::of_minutes(&run(), &columns)
}

fn golden(file: &str) -> Vec<Given> {
    let price = |text: &str| Price::from_rupees(double(text));
    let given = |(line, row): (u64, csv::StringRecord)| {
        let place = SYMBOLS.iter().position(|symbol| row[0].ends_with(symbol)).expect("a symbol");
        Given {
            line,
            instrument: InstrumentId(place as u16),
            bar_time: time(&row[1]),
            side: Side::from_word(&row[2]).expect("a side"),
            kind: SignalKind::from_word(&row[3]),
            price: price(&row[4]),
            quantity: row[8].parse().ok().map(Qty),
            stop: price(&row[6]),
            target: price(&row[7]),
        }
    };
    (2..).zip(records(fixture(file))).map(given).collect()
}

fn table<'a>(explained: impl Iterator<Item = &'a Explained>) -> String {
    let mut text = String::new();
    for Explained { difference, class, witness } in explained {
        let symbol = SYMBOLS[difference.instrument.index()];
        let (side, kind) = difference.what.signal_words();
        let (time, kind) = (difference.bar_time, kind.map_or("-", SignalKind::word));
        let witness = witness.as_ref().map_or("-".to_owned(), ToString::to_string);
        let what = difference.what.words();
        writeln!(text, "{symbol} {time} {side:4} {kind:9} {what:11} {:13} {witness}", class.word())
            .expect("to a String");
    }
    text
}

fn is_presence(one: &&Explained) -> bool {
    !matches!(one.difference.what, What::Value { .. })
}

fn counts(tally: Tally) -> String {
    let Tally { same, values, golden_only, live_only } = tally;
    let percent = tally.percent().expect("there are signals");
    format!(
        "{percent:.1} %: same {same}, other values {values}, golden-only {golden_only}, \
         live-only {live_only}"
    )
}

/// Every witness is made again, and leaves nothing of its difference.
fn assert_witnessed(ground: &Ground, profile: Profile, golden: &[Given], aligned: &Aligned) {
    let live = ground.live(profile);
    let trials = Trials::new(ground, (profile, aligned.origin), golden, &live);
    for explained in &aligned.explained {
        assert!(trials.vanishes(explained), "{explained:?}");
    }
}

#[test]
fn every_disagreement_of_batch_and_live_has_one_cause() {
    let (ground, golden) = (ground(), golden("batch.signals.csv"));
    let aligned = align(&ground, Profile::CompatLive, &golden);
    assert_eq!(aligned.origin, Origin::CompatBatch);
    assert_witnessed(&ground, Profile::CompatLive, &golden, &aligned);
    let presence = aligned.explained.iter().filter(is_presence);
    insta::assert_snapshot!(table(presence), @r"
    SYNA 2025-10-15T12:15 BUY  TREND     live-only   window-length live looks back over the whole history
    SYNA 2025-10-17T09:15 BUY  TREND     golden-only look-ahead    show live 1 later bar
    SYNA 2025-10-30T09:30 SELL TREND     live-only   look-ahead    show live 1 later bar
    SYNA 2025-10-30T14:30 SELL TREND     live-only   look-ahead    show live 1 later bar
    SYNA 2025-10-31T12:00 BUY  TREND     live-only   window-length live looks back over the whole history
    SYNA 2025-11-07T09:30 BUY  TREND     live-only   look-ahead    show live 1 later bar
    SYNA 2025-11-12T15:00 SELL TREND     golden-only look-ahead    show live 1 later bar
    SYNA 2025-11-20T09:30 SELL TREND     live-only   look-ahead    show live 1 later bar
    SYNA 2025-11-21T14:30 BUY  TREND     golden-only window-length live looks back over the whole history
    SYNA 2025-12-03T10:00 SELL TREND     golden-only look-ahead    show live 1 later bar
    SYNA 2025-12-03T11:00 SELL TREND     golden-only look-ahead    show live 2 later bars
    SYNA 2025-12-18T15:00 BUY  REVERSION golden-only window-length live looks back over the whole history
    SYNA 2025-12-23T11:15 SELL TREND     live-only   window-length live looks back over the whole history
    SYNA 2026-01-01T12:45 SELL TREND     golden-only look-ahead    show live 1 later bar
    SYNB 2025-10-17T09:15 SELL REVERSION golden-only second-event  the first event of a bar counts
    SYNB 2025-11-06T09:30 BUY  TREND     golden-only look-ahead    show live 2 later bars
    SYNB 2025-11-20T13:45 SELL TREND     live-only   look-ahead    show live 1 later bar
    SYNB 2025-11-26T13:15 BUY  TREND     golden-only look-ahead    show live 1 later bar
    SYNB 2025-12-04T15:15 SELL TREND     live-only   look-ahead    show live 1 later bar
    SYNB 2025-12-12T09:30 SELL TREND     live-only   look-ahead    show live 1 later bar
    SYNB 2025-12-16T15:15 SELL TREND     live-only   look-ahead    show live 1 later bar
    SYNB 2025-12-22T10:00 SELL TREND     live-only   look-ahead    show live 1 later bar
    ");
    insta::assert_snapshot!(counts(tally::total(&aligned.given)), @r"
    83.8 %: same 69, other values 45, golden-only 10, live-only 12
    ");
}

#[test]
fn against_the_causal_profile_only_look_ahead_is_left() {
    let (ground, golden) = (ground(), golden("batch.signals.csv"));
    let aligned = align(&ground, Profile::Causal, &golden);
    assert_witnessed(&ground, Profile::Causal, &golden, &aligned);
    insta::assert_snapshot!(table(aligned.explained.iter()), @r"
    SYNA 2025-10-13T09:30 SELL TREND     live-only   look-ahead    show live 2 later bars
    SYNA 2025-10-13T15:15 SELL TREND     live-only   look-ahead    show live 3 later bars
    SYNA 2025-10-30T09:30 SELL TREND     live-only   look-ahead    show live 5 later bars
    SYNA 2025-10-30T10:15 SELL TREND     live-only   look-ahead    show live 2 later bars
    SYNA 2025-10-30T14:30 SELL TREND     live-only   look-ahead    show live 5 later bars
    SYNA 2025-11-07T09:30 BUY  TREND     live-only   look-ahead    show live 5 later bars
    SYNA 2025-11-20T09:30 SELL TREND     live-only   look-ahead    show live 5 later bars
    SYNA 2025-12-17T09:30 BUY  TREND     live-only   look-ahead    show live 1 later bar
    SYNA 2025-12-26T10:00 SELL TREND     live-only   look-ahead    show live 2 later bars
    SYNA 2025-12-29T09:45 SELL TREND     live-only   look-ahead    show live 2 later bars
    SYNB 2025-10-17T09:15 SELL REVERSION golden-only second-event  the first event of a bar counts
    SYNB 2025-10-29T15:00 SELL TREND     live-only   look-ahead    show live 1 later bar
    SYNB 2025-11-20T13:45 SELL TREND     live-only   look-ahead    show live 5 later bars
    SYNB 2025-12-02T13:45 SELL TREND     live-only   look-ahead    show live 3 later bars
    SYNB 2025-12-04T15:15 SELL TREND     live-only   look-ahead    show live 5 later bars
    SYNB 2025-12-12T09:30 SELL TREND     live-only   look-ahead    show live 5 later bars
    SYNB 2025-12-16T15:15 SELL TREND     live-only   look-ahead    show live 5 later bars
    SYNB 2025-12-22T10:00 SELL TREND     live-only   look-ahead    show live 5 later bars
    SYNB 2026-01-02T13:30 BUY  TREND     live-only   look-ahead    show live 1 later bar
    ");
    let numbers = [aligned.given, aligned.made_causal].map(|one| counts(tally::total(&one)));
    insta::assert_snapshot!(numbers.join("\n"), @r"
    86.6 %: same 123, other values 0, golden-only 1, live-only 18
    100.0 %: same 141, other values 0, golden-only 0, live-only 0
    ");
}

#[test]
fn the_live_path_with_and_without_execution_is_told_apart() {
    let ground = ground();
    for (file, origin) in [
        ("live.signals_no_execution.csv", Origin::CompatLive),
        ("live.signals.csv", Origin::CompatLiveTraded),
    ] {
        let golden = golden(file);
        let aligned = align(&ground, Profile::CompatLive, &golden);
        assert_eq!(aligned.origin, origin);
        assert_witnessed(&ground, Profile::CompatLive, &golden, &aligned);
        let signals: Vec<Signal> = ground.run_of(origin);
        assert!(Alignment::of(&golden, &signals).is_same(), "{file}");
        if origin == Origin::CompatLiveTraded {
            insta::assert_snapshot!(table(aligned.explained.iter()), @r"
            SYNA 2025-10-06T14:15 BUY  TREND     live-only   cooldown      live trades its signals
            SYNA 2025-10-06T14:30 SELL REVERSION live-only   cooldown      live trades its signals
            SYNA 2025-10-15T12:15 BUY  TREND     live-only   cooldown      live trades its signals
            SYNA 2025-10-16T14:30 BUY  TREND     live-only   cooldown      live trades its signals
            SYNA 2025-10-16T14:45 SELL REVERSION live-only   cooldown      live trades its signals
            SYNA 2025-12-22T14:30 SELL REVERSION live-only   cooldown      live trades its signals
            SYNA 2025-12-29T09:15 BUY  REVERSION live-only   cooldown      live trades its signals
            SYNA 2026-01-02T10:30 SELL TREND     live-only   cooldown      live trades its signals
            SYNB 2025-10-27T09:15 SELL REVERSION live-only   cooldown      live trades its signals
            SYNB 2025-12-15T09:15 SELL REVERSION live-only   cooldown      live trades its signals
            SYNB 2025-12-19T09:30 SELL TREND     live-only   cooldown      live trades its signals
            SYNB 2025-12-22T10:15 BUY  REVERSION live-only   cooldown      live trades its signals
            SYNB 2025-12-23T09:15 BUY  REVERSION live-only   cooldown      live trades its signals
            ");
        } else {
            assert!(aligned.given.is_same());
        }
    }
}
