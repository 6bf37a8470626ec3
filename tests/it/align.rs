//! What the first user's backtest said against what live says, and why they part: every difference
//! with the single change that removes it. The facts are in `tests/fixtures/reference`.

use std::fmt::Write as _;

use lockstep::backtest::python::variant::{Swings, Variant};
use lockstep::domain::config::Profile;
use lockstep::domain::event::RunStarted;
use lockstep::domain::fact::{Signal, SignalKind};
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::money::{Price, Qty, Side};
use lockstep::domain::time::Timestamp;
use lockstep::driver::align::ground::Ground;
use lockstep::driver::align::trials::{Lived, Trials};
use lockstep::driver::align::{Aligned, Origin, align};
use lockstep::golden::align::class::{Change, Class, Explained};
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
    Ground::of_minutes(&run(), &columns, &[])
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

fn is_presence(one: &Explained) -> bool {
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
    let lived = Lived::of_rule(ground, profile);
    let trials = Trials::new(ground, &lived, golden);
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
    let presence = aligned.explained.iter().filter(|one| is_presence(one));
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
    insta::assert_snapshot!(counts(tally::total(&aligned.given)), @"83.8 %: same 69, other values 45, golden-only 10, live-only 12");
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
        let signals = ground.run_of(origin);
        assert!(Alignment::of(&golden, signals).is_same(), "{file}");
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

/// What is planted into a copy of live, and the rows that it makes.
fn planted(ground: &Ground) -> Vec<(Class, Vec<Given>)> {
    let live: Vec<Given> = ground.live(Profile::CompatLive).iter().map(Given::of).collect();
    let of = |variant: &Variant| -> Vec<Given> {
        ground.first_of_bars(variant).iter().map(Given::of).collect()
    };
    let base = ground.variant(Profile::CompatLive);
    // Every fifth row, so that faults do not touch.
    let every_fifth = |change: &dyn Fn(&mut Given)| {
        let mut rows = live.clone();
        rows.iter_mut().step_by(5).for_each(change);
        rows
    };
    let mut doubled = live.clone();
    doubled.extend(live.iter().step_by(5).map(|given| Given {
        kind: Some(SignalKind::Reversion),
        side: if given.side == Side::Buy { Side::Sell } else { Side::Buy },
        ..given.clone()
    }));
    let mut at_night = live.clone();
    at_night.extend(
        live.iter()
            .step_by(5)
            .map(|given| Given { bar_time: given.bar_time.date().start(), ..given.clone() }),
    );
    let late = |count: usize| live.iter().filter(|given| given.instrument.0 == 1).count() - count;
    let cut = |rows: &[Given], keep: usize| -> Vec<Given> {
        let (first, second): (Vec<Given>, Vec<Given>) =
            rows.iter().cloned().partition(|given| given.instrument.0 == 0);
        first.into_iter().chain(second.into_iter().take(keep)).collect()
    };
    let tick = |price: Option<Price>| price.map(|it| Price((it.0 + 250).div_euclid(500) * 500));
    let mut slack = base.clone();
    slack.config.strategy.reversion_k = 1.5;
    let traded = ground.run_of(Origin::CompatLiveTraded).iter().map(Given::of).collect();
    let swings = Swings::Truncated { ahead: 3 };
    vec![
        (Class::LookAhead, of(&Variant { swings, ..base.clone() })),
        (Class::SwingRule, of(&Variant { swings: Swings::Whole { ahead: 0 }, ..base.clone() })),
        (Class::WindowLength, of(&Variant { window_bars: None, ..base })),
        (Class::SecondEvent, doubled),
        (Class::Cooldown, traded),
        (Class::Label, every_fifth(&|given| given.bar_time = given.bar_time.plus_minutes(15))),
        (Class::Configuration, of(&slack)),
        (
            Class::Sizing,
            every_fifth(&|given| {
                given.stop = tick(given.stop);
                given.target = tick(given.target);
            }),
        ),
        (Class::Calendar, at_night),
        (Class::Instrument, every_fifth(&|given| given.instrument.0 = 1 - given.instrument.0)),
        (Class::Coverage, cut(&live, late(12))),
    ]
}

/// Each kind of fault by itself: in which classes its differences end up. Every witness is made
/// again, and an untouched copy has no difference.
#[test]
fn planted_faults_are_told_apart() {
    let ground = ground();
    let untouched: Vec<Given> = ground.live(Profile::CompatLive).iter().map(Given::of).collect();
    assert!(align(&ground, Profile::CompatLive, &untouched).given.is_same());
    let mut text = String::new();
    for (class, golden) in planted(&ground) {
        let aligned = align(&ground, Profile::CompatLive, &golden);
        let mut found = std::collections::BTreeMap::<&str, usize>::new();
        for one in &aligned.explained {
            *found.entry(one.class.word()).or_default() += 1;
        }
        let lived = Lived::of_rule(&ground, Profile::CompatLive);
        let trials = Trials::new(&ground, &lived, &golden);
        for one in aligned.explained.iter().filter(|one| one.class != Class::Unexplained) {
            assert!(trials.vanishes(one), "{one:?}");
        }
        let found: Vec<String> =
            found.into_iter().map(|(word, count)| format!("{word} {count}")).collect();
        writeln!(text, "{:13} {}", class.word(), found.join(", ")).expect("to a String");
    }
    insta::assert_snapshot!(text, @r"
    look-ahead    look-ahead 21
    swing-rule    swing-rule 16
    window-length window-length 54
    second-event  second-event 26
    cooldown      cooldown 13
    label         label 52
    configuration configuration 59
    sizing        sizing 23
    calendar      calendar 26
    instrument    instrument 51, second-event 1
    coverage      coverage 12
    ");
}

/// His counter of fills is never reset, so a long backtest covers its first weeks only.
#[test]
fn a_backtest_that_stopped_at_its_hundredth_fill_is_recognised() {
    let ground = ground();
    let stops = ground.stops_after(100);
    let is_late = |instrument: InstrumentId, time: Timestamp| {
        stops[instrument.index()].is_some_and(|stop| time >= stop)
    };
    let batch = ground.run_of(Origin::CompatBatch).iter();
    let before = batch.filter(|signal| !is_late(signal.instrument, signal.time));
    let golden: Vec<Given> = before.map(Given::of).collect();
    let aligned = align(&ground, Profile::CompatLive, &golden);
    let mut late = 0;
    for one in &aligned.explained {
        if let What::LiveOnly(signal) = &one.difference.what
            && is_late(signal.instrument, signal.time)
        {
            assert_eq!(one.class, Class::Limits, "{one:?}");
            late += 1;
        }
    }
    assert!(late >= 10, "{late} signals of live after the hundredth fills");
    assert!(aligned.explained.iter().all(|one| one.class != Class::Unexplained));
}

/// A list that ends some days before its hundredth fill, or goes on after it, was cut off by
/// something else.
#[test]
fn a_backtest_that_ends_elsewhere_did_not_stop_at_its_hundredth_fill() {
    let ground = ground();
    let stops = ground.stops_after(100);
    for days in [-7, 4] {
        let is_kept = |signal: &&Signal| {
            let stop = stops[signal.instrument.index()];
            stop.is_none_or(|stop| signal.time.date() < stop.date().plus_days(days))
        };
        let kept = ground.run_of(Origin::CompatBatch).iter().filter(is_kept);
        let golden: Vec<Given> = kept.map(Given::of).collect();
        let aligned = align(&ground, Profile::CompatLive, &golden);
        let by_fills = |one: &&Explained| matches!(one.witness, Some(Change::LimitFills(_)));
        assert_eq!(aligned.explained.iter().find(by_fills), None, "{days} days off");
        let cut = aligned.explained.iter().filter(|one| one.class == Class::Coverage).count();
        assert!(cut >= 5, "{cut} signals of live after the list's end, {days} days off");
    }
}
