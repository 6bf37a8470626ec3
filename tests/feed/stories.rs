//! What is special about single days of the calendar, lived from the feed to the core.

use std::cell::Cell;
use std::collections::BTreeMap;

use lockstep::core::Core;
use lockstep::domain::event::{Input, Output};
use lockstep::domain::fact::{Notice, NoticeKind};
use lockstep::domain::time::{MINUTE_US, SECOND_US, Timestamp};
use lockstep::exchange::faults::Faults;
use lockstep::exchange::frames::{Frames, Sent};
use lockstep::exchange::ticker::Mode;

use crate::day::{Circumstances, LATENESS_MS, Lived, STEP_US, later, live, live_with};
use crate::farm;
use crate::judge::{WEATHERS, bars, fills, judge, oddities, signals};
use crate::scene::{BSE, DAYS, Scene, TATA, outputs};

/// Every story, by name.
pub const TESTS: &[(&str, fn())] = &[
    ("each_kind_of_day_has_the_facts_of_its_replay", each_kind_of_day_has_the_facts_of_its_replay),
    ("the_last_bar_of_a_day_is_out_at_its_close", the_last_bar_of_a_day_is_out_at_its_close),
    ("muhurat_is_one_hour_in_the_evening", muhurat_is_one_hour_in_the_evening),
    ("between_two_blocks_nothing_is_missing", between_two_blocks_nothing_is_missing),
    ("a_closing_auction_makes_no_bar", a_closing_auction_makes_no_bar),
    ("a_stock_with_hours_of_its_own_misses_nothing", a_stock_with_hours_of_its_own_misses_nothing),
    ("a_holiday_is_waited_out", a_holiday_is_waited_out),
    ("the_end_of_a_day_that_was_lost_is_looked_up", the_end_of_a_day_that_was_lost_is_looked_up),
    (
        "what_is_lost_with_the_line_right_at_the_close_is_looked_up",
        what_is_lost_with_the_line_right_at_the_close_is_looked_up,
    ),
    (
        "a_late_trade_that_changes_nothing_costs_no_signal",
        a_late_trade_that_changes_nothing_costs_no_signal,
    ),
    ("a_run_without_a_session_is_over_at_once", a_run_without_a_session_is_over_at_once),
    (
        "a_first_message_from_another_time_is_put_aside",
        a_first_message_from_another_time_is_put_aside,
    ),
    (
        "a_stand_in_that_begins_with_a_lie_is_not_believed",
        a_stand_in_that_begins_with_a_lie_is_not_believed,
    ),
    (
        "a_machine_with_a_wrong_clock_goes_by_the_exchange",
        a_machine_with_a_wrong_clock_goes_by_the_exchange,
    ),
    (
        "what_the_first_minutes_had_wrong_closes_nothing",
        what_the_first_minutes_had_wrong_closes_nothing,
    ),
];

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a story's time")
}

/// The day in fair weather, from `from` on.
fn fair(date: &str, from: &str) -> (Scene, Lived) {
    let scene = Scene::new(date, 7);
    let lived = live(&scene, Faults::default(), 7, at(&format!("{date}T{from}")));
    assert_eq!(lived.stopped, None);
    assert_eq!(lived.lookups, 0, "nothing was lost");
    (scene, lived)
}

/// When each strategy bar was told, by instrument and label, and when the session ended.
struct Told {
    bars: BTreeMap<(String, String), Timestamp>,
    ended: Vec<Timestamp>,
}

fn told(scene: &Scene, lived: &Lived) -> Told {
    let since = scene.run.config.active_from;
    let mut core = Core::new(&scene.run);
    let mut told = Told { bars: BTreeMap::new(), ended: Vec::new() };
    for (seq, (at, input)) in (1..).zip(&lived.inputs) {
        let mut out = Vec::new();
        core.step(seq, input, &mut out);
        for derived in out {
            match derived.output {
                Output::Bar15m(bar) if bar.open_time >= since => {
                    let key = scene.run.instruments[bar.instrument.index()].key.clone();
                    let label = clock(bar.open_time);
                    assert_eq!(told.bars.insert((key, label), *at), None, "told twice");
                }
                Output::SessionEnded(day) if day.date == since.date() => told.ended.push(*at),
                _ => {}
            }
        }
    }
    told
}

fn clock(time: Timestamp) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

fn labels(told: &Told, key: &str) -> Vec<String> {
    told.bars.keys().filter(|it| it.0 == key).map(|it| it.1.clone()).collect()
}

fn notices(lived: &Lived) -> Vec<(Timestamp, Notice)> {
    let notice = |(at, input): &(Timestamp, Input)| match input {
        Input::Notice(notice) => Some((*at, Notice::clone(notice))),
        _ => None,
    };
    lived.inputs.iter().filter_map(notice).collect()
}

fn gaps(lived: &Lived) -> usize {
    lived.inputs.iter().filter(|(_, input)| matches!(input, Input::Gap(_))).count()
}

/// Nothing that somebody would have to look after.
fn assert_calm(lived: &Lived) {
    assert_eq!(gaps(lived), 0);
    for (at, notice) in notices(lived) {
        let is_calm =
            matches!(notice.kind, NoticeKind::FeedUp | NoticeKind::Phase | NoticeKind::Repaired);
        assert!(is_calm, "at {at}: {notice:?}");
        // What is noticed on the exchange has the exchange's time, before the open as well.
        assert!(notice.time <= at && at.0 - notice.time.0 <= MINUTE_US, "at {at}: {notice:?}");
    }
}

fn each_kind_of_day_has_the_facts_of_its_replay() {
    for (date, _) in DAYS {
        let scene = Scene::new(date, 11);
        let lived = live(&scene, Faults::default(), 11, scene.hours().0.plus_minutes(-10));
        assert_calm(&lived);
        let (got, since) = (outputs(&scene.run, &lived.heard()), scene.run.config.active_from);
        assert!(!bars(&got, since).is_empty());
        assert_eq!(bars(&got, since), bars(&scene.whole, since), "{date}");
        assert_eq!(signals(&got), signals(&scene.whole), "{date}");
        assert_eq!(fills(&got), fills(&scene.whole), "{date}");
    }
}

fn the_last_bar_of_a_day_is_out_at_its_close() {
    for (date, _) in DAYS {
        let (scene, lived) = {
            let scene = Scene::new(date, 7);
            let lived = live(&scene, Faults::default(), 7, scene.hours().0.plus_minutes(-1));
            (scene, lived)
        };
        let (told, end) = (told(&scene, &lived), scene.hours().1);
        let last = told.bars.values().max().expect("there are bars");
        let latest = end.plus_us(i64::from(LATENESS_MS) * 1_000 + STEP_US);
        assert!(end <= *last && *last <= latest, "{date}: the last bar is told at {last}");
        assert_eq!(told.ended.len(), 1, "{date}");
        assert!(told.ended[0] <= latest, "{date}: the session is over at {}", told.ended[0]);
    }
}

fn muhurat_is_one_hour_in_the_evening() {
    let (scene, lived) = fair("2024-11-01", "09:00");
    assert_calm(&lived);
    let told = told(&scene, &lived);
    for key in [BSE, TATA] {
        assert_eq!(labels(&told, key), ["18:00", "18:15", "18:30", "18:45"]);
    }
    let first = lived.inputs.iter().find(|it| matches!(it.1, Input::Tick(_)));
    assert!(first.is_some_and(|(at, _)| *at >= at_evening()), "nobody trades before");
}

fn at_evening() -> Timestamp {
    at("2024-11-01T18:00")
}

fn between_two_blocks_nothing_is_missing() {
    let (scene, lived) = fair("2024-03-02", "09:10");
    assert_calm(&lived);
    let want = ["09:15", "09:30", "09:45", "11:30", "11:45", "12:00", "12:15"];
    let told = told(&scene, &lived);
    for key in [BSE, TATA] {
        assert_eq!(labels(&told, key), want);
        let end_of_block = told.bars[&(key.to_owned(), "09:45".to_owned())];
        let late_us = end_of_block.0 - at("2024-03-02T10:00").0;
        assert!((0..=3 * SECOND_US).contains(&late_us), "told at {end_of_block}");
    }
}

fn a_closing_auction_makes_no_bar() {
    let (scene, lived) = fair("2026-08-03", "09:05");
    assert_calm(&lived);
    let told = told(&scene, &lived);
    for key in [BSE, TATA] {
        let labels = labels(&told, key);
        assert_eq!((labels.len(), labels.last().map(String::as_str)), (24, Some("15:00")));
    }
    let close = at("2026-08-03T15:15");
    let closing = notices(&lived).into_iter().find(|(_, it)| it.detail.contains("CTS_CLOSE"));
    assert!(closing.is_some_and(|(_, notice)| notice.time == close));
}

fn a_stock_with_hours_of_its_own_misses_nothing() {
    let (scene, lived) = fair("2025-10-14", "09:10");
    assert_calm(&lived);
    let told = told(&scene, &lived);
    assert_eq!(labels(&told, BSE).first().map(String::as_str), Some("09:15"));
    assert_eq!(labels(&told, TATA).first().map(String::as_str), Some("10:00"));
    assert_eq!((labels(&told, BSE).len(), labels(&told, TATA).len()), (25, 22));
}

/// Gandhi's birthday: nobody trades, and a run that waits for the next day hears nothing but that.
fn a_holiday_is_waited_out() {
    let scene = Scene::new("2024-10-03", 7);
    let lived = live(&scene, Faults::default(), 7, at("2024-10-02T10:00"));
    let morning = at("2024-10-03T09:00");
    let of_holiday: Vec<(Timestamp, Notice)> =
        notices(&lived).into_iter().filter(|(at, _)| *at < morning).collect();
    let words: Vec<String> =
        of_holiday.iter().map(|(_, it)| format!("{} {}", it.kind.word(), it.detail)).collect();
    assert_eq!(words, ["phase NSE_EQ NORMAL_CLOSE", "feed-up 2 keys"]);
    assert!(of_holiday.iter().all(|(at, notice)| notice.time.date() == at.date()));
    let is_early = |it: &&(Timestamp, Input)| at("2024-10-02T00:00") < it.0 && it.0 < morning;
    let early = lived.inputs.iter().filter(is_early).count();
    assert_eq!(early, words.len(), "neither ticks nor gaps nor the end of anything");
    assert_eq!(gaps(&lived), 0);
    let (got, since) = (outputs(&scene.run, &lived.heard()), scene.run.config.active_from);
    assert_eq!(bars(&got, since), bars(&scene.whole, since));
    assert_eq!(fills(&got), fills(&scene.whole));
}

/// A trade that was left out is noticed by the next one, but after the last there is none.
fn the_end_of_a_day_that_was_lost_is_looked_up() {
    let (scene, end) = (Scene::new("2024-10-03", 7), at("2024-10-03T15:30"));
    let lost_until = |until: Timestamp| {
        move |sent: Sent| {
            let is_lost = at("2024-10-03T15:29:30") <= sent.at && sent.at < until;
            (!is_lost).then_some(sent)
        }
    };
    // Without the feed's last word of the day, and with it.
    for until in ["2024-10-03T15:30:01", "2024-10-03T15:30"] {
        let way = lost_until(at(until));
        let lived = live_with(&scene, Circumstances { way: &way, ..ordinary() });
        let missed = lived.inputs.iter().filter_map(|(_, input)| match input {
            Input::Gap(gap) => Some(*gap),
            _ => None,
        });
        let missed: Vec<_> = missed.collect();
        assert!(!missed.is_empty(), "nobody noticed");
        assert!(missed.iter().all(|gap| gap.from >= end.plus_minutes(-2)), "{missed:?}");
        let told = told(&scene, &lived);
        assert!(told.ended[0] <= end.plus_minutes(1).plus_us(3 * SECOND_US), "{:?}", told.ended);
        let (got, since) = (outputs(&scene.run, &lived.heard()), scene.run.config.active_from);
        assert_eq!(bars(&got, since), bars(&scene.whole, since));
    }
}

/// What came in time says nothing of what was traded between that and the end of the line.
fn what_is_lost_with_the_line_right_at_the_close_is_looked_up() {
    let scene = Scene::new("2024-10-03", 7);
    let (begin, close) = (at("2024-10-03T15:29:55"), at("2024-10-03T15:30"));
    let keys = scene.market.keys();
    let frames = Frames::new(&scene.market, keys, Mode::Full, begin).map(|sent| sent.at);
    let last: Vec<Timestamp> = frames.filter(|at| begin < *at && *at < close).collect();
    let [.., heard, cut_at] = last[..] else { panic!("nobody trades: {last:?}") };
    assert!(heard < cut_at);
    // Whoever looks every five seconds hears of the end together with what came before it.
    let lived = live_with(&scene, Circumstances { cut_at, step_us: 5 * SECOND_US, ..ordinary() });
    assert!(gaps(&lived) > 0, "nobody noticed");
    let (got, since) = (outputs(&scene.run, &lived.heard()), scene.run.config.active_from);
    assert_eq!(bars(&got, since), bars(&scene.whole, since));
}

/// A trade of no shares that repeats the price may be late: the minute is what it was, the archive
/// says the same, and its bar is as good as any.
fn a_late_trade_that_changes_nothing_costs_no_signal() {
    let (history, date) = farm::scene(8_915);
    let scene = Scene::of_small_trades(date, history);
    assert_eq!(WEATHERS[farm::weather(8_915)].0, "delay=120s@0.01");
    let odd = oddities(&scene, farm::weather(8_915), 8_915);
    let late = odd.iter().position(|line| line.contains(" tick ") && line.contains(" 4079.55 0 "));
    let after = &odd[late.expect("a late trade of no shares") + 1];
    assert!(after.contains(" backfill ") && after.contains(" 1 origin=intraday"), "{after}");
    assert_eq!(judge(&scene, farm::weather(8_915), 8_915).others, 0);
}

/// An ordinary day from five minutes before the open on.
fn ordinary() -> Circumstances<'static> {
    Circumstances::new(Faults::default(), 7, at("2024-10-03T09:10"))
}

/// The day is as its replay has it, signals and fills included, and nothing was missing or looked
/// up. What was noticed about the exchange's clock, and what was counted.
fn as_if_nothing_had_been(scene: &Scene, lived: &Lived) -> (Vec<String>, String) {
    assert_eq!((gaps(lived), lived.lookups, lived.stopped.as_deref()), (0, 0, None));
    let (got, since) = (outputs(&scene.run, &lived.heard()), scene.run.config.active_from);
    assert_eq!(bars(&got, since), bars(&scene.whole, since));
    assert_eq!(signals(&got), signals(&scene.whole));
    assert_eq!(fills(&got), fills(&scene.whole));
    let of_kind = |kind| {
        let words = notices(lived).into_iter().filter(move |(_, it)| it.kind == kind);
        words.map(|(_, notice)| notice.detail)
    };
    let repaired: Vec<String> = of_kind(NoticeKind::Repaired).collect();
    let [counted] = &repaired[..] else { panic!("{repaired:?}") };
    (of_kind(NoticeKind::ClockJump).collect(), counted.clone())
}

/// Of each connection: what else its clock says is as it should be.
fn first_is_off(us: i64) -> impl Fn(Sent) -> Option<Sent> {
    let is_first = Cell::new(true);
    move |sent| Some(if is_first.replace(false) { later(sent, us) } else { sent })
}

fn a_first_message_from_another_time_is_put_aside() {
    let scene = Scene::new("2024-10-03", 7);
    for seconds in [290, -290, 4 * 3_600, -86_400] {
        let way = first_is_off(seconds * SECOND_US);
        let lived = live_with(&scene, Circumstances { way: &way, ..ordinary() });
        let (said, counted) = as_if_nothing_had_been(&scene, &lived);
        let word = format!("a message is off by {seconds}.000 s and does not move the clock");
        assert_eq!(said, [word]);
        assert!(counted.contains("odd times 1"), "{counted}");
    }
}

fn a_stand_in_that_begins_with_a_lie_is_not_believed() {
    let scene = Scene::new("2024-10-03", 7);
    // A stand-in may leave out the time before the open, but not go back to before the run.
    for (seconds, odd, jumps) in [(290, 2, 1), (4 * 3_600, 2, 1), (-86_400, 1, 0), (-290, 0, 0)] {
        let way = first_is_off(seconds * SECOND_US);
        let lived = live_with(&scene, Circumstances { way: &way, is_stand_in: true, ..ordinary() });
        let (said, counted) = as_if_nothing_had_been(&scene, &lived);
        assert_eq!(counted.contains(&format!("odd times {odd}")), odd > 0, "{counted}");
        assert_eq!(counted.contains("odd times"), odd > 0, "{counted}");
        assert_eq!(
            said.iter().filter(|it| it.ends_with("does not move the clock")).count(),
            odd.min(1)
        );
        assert_eq!(said.iter().filter(|it| it.ends_with("as 3 messages agree")).count(), jumps);
    }
}

fn a_machine_with_a_wrong_clock_goes_by_the_exchange() {
    let scene = Scene::new("2024-10-03", 7);
    for seconds in [200, -200] {
        let ahead_us = seconds * SECOND_US;
        let lived = live_with(&scene, Circumstances { ahead_us, ..ordinary() });
        let (said, counted) = as_if_nothing_had_been(&scene, &lived);
        assert!(counted.contains("odd times 2"), "{counted}");
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[1].contains("as 3 messages agree"), "{said:?}");
    }
}

/// The first messages agree with each other, and the first trades do not.
fn what_the_first_minutes_had_wrong_closes_nothing() {
    let scene = Scene::new("2024-10-03", 7);
    for until in ["2024-10-03T09:11:30", "2024-10-03T09:15"] {
        let until = at(until);
        let way = move |sent: Sent| {
            let us = if sent.at < until { 200 * SECOND_US } else { 0 };
            Some(later(sent, us))
        };
        let lived = live_with(&scene, Circumstances { way: &way, ..ordinary() });
        let (said, _) = as_if_nothing_had_been(&scene, &lived);
        let jumps: Vec<&String> = said.iter().filter(|it| it.contains("agree")).collect();
        assert!(jumps[0].contains(" by 2") && jumps[1].contains(" by -2"), "{said:?}");
        assert_eq!(jumps.len(), 2, "{said:?}");
    }
}

fn a_run_without_a_session_is_over_at_once() {
    let mut scene = Scene::new("2024-10-03", 7);
    scene.run.sessions.retain(|session| session.date < scene.run.config.active_from.date());
    let lived = live(&scene, Faults::default(), 7, at("2024-10-03T10:00"));
    assert_eq!(lived.inputs.len(), scene.warmup.len(), "nothing is heard");
}
