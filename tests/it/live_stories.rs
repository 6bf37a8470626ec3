//! What the core does under the profile `compat-live`, told on the tape. Each quarter of these
//! stories has one minute, its first: the profile does not ask whether a bar is complete.

use insta::assert_snapshot;
use lockstep::domain::config::{ExecutionProfile, Profile};
use lockstep::domain::event::{Output, RunStarted};
use lockstep::domain::money::{Cash, Qty};
use lockstep::domain::time::Timestamp;

use crate::world::{World, date, deeds, session, tape};

const QUARTERS: usize = 25;

/// Four sessions under the Python system's live rules.
fn live() -> World {
    live_with(|_| {})
}

fn live_with(change: impl FnOnce(&mut RunStarted)) -> World {
    World::new().with(|run| {
        run.config.strategy.profile = Profile::CompatLive;
        run.config.execution.profile = ExecutionProfile::Compat;
        run.config.execution.cooldown_bars = 3;
        run.sessions.push(session(date("2024-10-04")));
        change(run);
    })
}

/// One minute in each quarter from `first` on, one for each text of prices, with its watermark.
fn quarters(first: usize, prices: &[&str]) -> String {
    let mut story = String::new();
    for (place, prices) in (first..).zip(prices) {
        let open_time =
            Timestamp::from_ist(date("2024-10-01"), 9, 15).plus_minutes(15 * place as i64);
        let clock = |time: Timestamp| format!("{:02}:{:02}", time.hour(), time.minute());
        let (open, close) = (clock(open_time), clock(open_time.plus_minutes(1)));
        story += &format!("{open} A {prices}\nw {close}\n");
    }
    story
}

fn quiet(count: usize) -> Vec<&'static str> {
    vec!["100 100.50 99.50 100"; count]
}

/// A session of quiet quarters, with its end.
fn quiet_day(day: &str) -> String {
    format!("day {day}\n{}w 15:30\n", quarters(0, &quiet(QUARTERS)))
}

const BREAKOUT: &str = "100.50 101 99.50 101";

fn signals(output: &Output) -> bool {
    matches!(output, Output::Signal(_))
}

fn signals_and_fills(output: &Output) -> bool {
    matches!(output, Output::Signal(_) | Output::Fill(_))
}

fn bars(output: &Output) -> bool {
    matches!(output, Output::Bar15m(_))
}

/// Lines without the numbers of a signal that these stories are not about.
fn briefly(lines: &str) -> String {
    let brief = |line: &str| line.split(" stop=").next().unwrap_or(line).to_owned();
    lines.lines().map(brief).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_bar_is_known_when_the_first_minute_of_a_later_quarter_is_over() {
    let mut world = live();
    world.tell("09:15-09:29 A 100");
    assert_eq!(tape(&world.tell("w 09:45"), bars), "", "time alone makes nothing known");
    assert_eq!(tape(&world.tell("09:45 B 50\n w 09:46"), bars), "", "nor does another instrument");
    assert_snapshot!(tape(&world.tell("10:07 A 100\n w 10:08"), bars), @"35.1<0    bar-15m A 2024-10-01T09:15 2024-10-01T09:30 100.00 100.00 100.00 100.00 1500 minutes=15 minutes_expected=15");
}

#[test]
fn what_a_late_watermark_tells_is_in_the_order_in_which_it_was_known() {
    let mut world = live();
    world.tell("09:15 A 100\n 09:15 B 50\n 09:30 B 50\n 09:31 A 100\n 09:32 A 100\n 09:46 A 101");
    assert_eq!(tape(&world.tell("w 09:30"), bars), "");
    assert_snapshot!(tape(&world.tell("w 10:00"), bars), @"
    8.1<0     bar-15m B 2024-10-01T09:15 2024-10-01T09:30 50.00 50.00 50.00 50.00 100 minutes=1 minutes_expected=15
    8.3<0     bar-15m A 2024-10-01T09:15 2024-10-01T09:30 100.00 100.00 100.00 100.00 100 minutes=1 minutes_expected=15
    8.5<0     bar-15m A 2024-10-01T09:30 2024-10-01T09:45 100.00 100.00 100.00 100.00 200 minutes=2 minutes_expected=15
    ");
}

#[test]
fn ticks_make_minutes_and_a_minute_makes_the_bar_before_known() {
    let mut world = live();
    world.tell("09:29:30 A @100 x5\n 09:29:31 B @50 x1\n w 09:30");
    world.tell("09:30:01 A @101 x5\n 09:30:02 B @51 x1");
    assert_eq!(tape(&world.tell("w 09:30:59"), bars), "");
    assert_snapshot!(tape(&world.tell("w 09:31"), bars), @"
    7.3<0     bar-15m A 2024-10-01T09:15 2024-10-01T09:30 100.00 100.00 100.00 100.00 5 minutes=1 minutes_expected=15
    7.5<0     bar-15m B 2024-10-01T09:15 2024-10-01T09:30 50.00 50.00 50.00 50.00 1 minutes=1 minutes_expected=15
    ");
}

/// The 50th bar is the last of the second day.
#[test]
fn the_last_bar_of_the_day_is_the_first_that_may_signal_and_is_known_the_next_morning() {
    let mut world = live();
    world.tell(&quiet_day("2024-10-01"));
    world.tell(&format!("day 2024-10-02\n{}", quarters(0, &quiet(24))));
    let evening = format!("{}w 15:30", quarters(24, &[BREAKOUT]));
    assert_snapshot!(tape(&world.tell(&evening), deeds), @"102.1<0   session-ended 2024-10-02 gross=0.00 fees=0.00 equity=100000.00");
    assert_snapshot!(tape(&world.tell("day 2024-10-03\n 09:15 A 90\n w 09:16"), deeds), @"
    104.3<1   signal A 2024-10-02T15:15 2024-10-03T09:16 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.009798040391921656 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.980000000000004,0.056022408963599446,0.5,0.5
    104.4<3   order A 2024-10-03T09:16 BUY 482 entry origin=2024-10-02T15:15/BUY/TREND
    104.5<4   fill A 2024-10-03T09:16 BUY 482 101.01 entry fee=0.00 order=104.4 origin=2024-10-02T15:15/BUY/TREND
    104.6<5   position A 482 cost=48686.82 realized=0.00 cash=51313.18
    ");
}

#[test]
fn the_49th_bar_is_mute() {
    let mut world = live();
    world.tell(&quiet_day("2024-10-01"));
    world.tell(&format!("day 2024-10-02\n{}", quarters(0, &quiet(23))));
    let records = world.tell(&quarters(23, &[BREAKOUT, "101"]));
    assert!(tape(&records, bars).contains("2024-10-02T15:00"), "the breakout is known");
    assert_eq!(tape(&records, signals), "");
}

/// Each bar closes beyond the bars before it on the other side, so each has a signal.
const WIDENING: [&str; 6] = [
    "100 101 100 101",
    "101 101 97 97",
    "97 103 97 103",
    "103 103 95 95",
    "95 107 95 107",
    "107 107 106 106",
];

/// Two quiet days, then a third that begins with these quarters.
fn third_day(world: &mut World, quarter_prices: &[&str]) -> String {
    world.tell(&quiet_day("2024-10-01"));
    world.tell(&quiet_day("2024-10-02"));
    let story = format!("day 2024-10-03\n{}", quarters(0, quarter_prices));
    briefly(&tape(&world.tell(&story), signals_and_fills))
}

#[test]
fn the_bar_of_an_exit_and_the_next_are_mute_and_the_third_may_signal() {
    let mut always = live_with(|run| run.config.execution.cooldown_bars = 0);
    assert_snapshot!(third_day(&mut always, &WIDENING), @"
    106.3<1   signal A 2024-10-03T09:15 2024-10-03T09:31 BUY TREND 101.00 500
    106.5<4   fill A 2024-10-03T09:31 BUY 500 101.01 entry fee=0.00 order=106.4 origin=2024-10-03T09:15/BUY/TREND
    108.4<3   fill A 2024-10-03T09:46 SELL 500 99.99 stop fee=0.00 order=108.3 origin=2024-10-03T09:15/BUY/TREND
    108.6<1   signal A 2024-10-03T09:30 2024-10-03T09:46 SELL TREND 97.00 411
    108.8<7   fill A 2024-10-03T09:46 SELL 411 96.99 entry fee=0.00 order=108.7 origin=2024-10-03T09:30/SELL/TREND
    110.4<3   fill A 2024-10-03T10:01 BUY 411 98.22 stop fee=0.00 order=110.3 origin=2024-10-03T09:30/SELL/TREND
    110.6<1   signal A 2024-10-03T09:45 2024-10-03T10:01 BUY TREND 103.00 321
    110.8<7   fill A 2024-10-03T10:01 BUY 321 103.01 entry fee=0.00 order=110.7 origin=2024-10-03T09:45/BUY/TREND
    112.4<3   fill A 2024-10-03T10:16 SELL 321 101.43 stop fee=0.00 order=112.3 origin=2024-10-03T09:45/BUY/TREND
    112.6<1   signal A 2024-10-03T10:00 2024-10-03T10:16 SELL TREND 95.00 247
    112.8<7   fill A 2024-10-03T10:16 SELL 247 94.99 entry fee=0.00 order=112.7 origin=2024-10-03T10:00/SELL/TREND
    114.4<3   fill A 2024-10-03T10:31 BUY 247 97.03 stop fee=0.00 order=114.3 origin=2024-10-03T10:00/SELL/TREND
    114.6<1   signal A 2024-10-03T10:15 2024-10-03T10:31 BUY TREND 107.00 183
    114.8<7   fill A 2024-10-03T10:31 BUY 183 107.01 entry fee=0.00 order=114.7 origin=2024-10-03T10:15/BUY/TREND
    ");
    assert_snapshot!(third_day(&mut live(), &WIDENING), @"
    106.3<1   signal A 2024-10-03T09:15 2024-10-03T09:31 BUY TREND 101.00 500
    106.5<4   fill A 2024-10-03T09:31 BUY 500 101.01 entry fee=0.00 order=106.4 origin=2024-10-03T09:15/BUY/TREND
    108.4<3   fill A 2024-10-03T09:46 SELL 500 99.99 stop fee=0.00 order=108.3 origin=2024-10-03T09:15/BUY/TREND
    112.3<1   signal A 2024-10-03T10:00 2024-10-03T10:16 SELL TREND 95.00 247
    112.5<4   fill A 2024-10-03T10:16 SELL 247 94.99 entry fee=0.00 order=112.4 origin=2024-10-03T10:00/SELL/TREND
    114.4<3   fill A 2024-10-03T10:31 BUY 247 97.03 stop fee=0.00 order=114.3 origin=2024-10-03T10:00/SELL/TREND
    ");
}

/// Wide bars long ago keep the stop away, narrow ones lately let prices break out of them.
#[test]
fn two_bars_are_mute_after_an_opposite_signal_that_nets_to_nothing() {
    let story = |world: &mut World| {
        let wide = quarters(0, &["100 104 96 100"; QUARTERS]);
        for day in ["2024-10-01", "2024-10-02"] {
            world.tell(&format!("day {day}\n{wide}w 15:30"));
        }
        let mut third = vec!["100 100.20 99.80 100"; 4];
        third.extend([
            "100 100.50 100 100.50",
            "100.50 100.50 99.50 99.50",
            "99.50 100.60 99.50 100.60",
            "100.60 100.60 99.40 99.40",
            "99.40 100.80 99.40 100.80",
            "100.80",
        ]);
        let story = format!("day 2024-10-03\n{}", quarters(0, &third));
        briefly(&tape(&world.tell(&story), signals_and_fills))
    };
    let hundred = |run: &mut RunStarted| {
        run.config.strategy.risk_per_trade = Cash::from_rupees(1_000);
        run.config.execution.position_max = Qty(100);
    };
    assert_snapshot!(story(&mut live_with(hundred)), @"
    114.3<1   signal A 2024-10-03T10:15 2024-10-03T10:31 BUY TREND 100.50 176
    114.5<4   fill A 2024-10-03T10:31 BUY 100 100.51 entry fee=0.00 order=114.4 origin=2024-10-03T10:15/BUY/TREND
    116.3<1   signal A 2024-10-03T10:30 2024-10-03T10:46 SELL TREND 99.50 187
    116.5<4   fill A 2024-10-03T10:46 SELL 100 99.49 entry fee=0.00 order=116.4 origin=2024-10-03T10:30/SELL/TREND
    122.3<1   signal A 2024-10-03T11:15 2024-10-03T11:31 BUY TREND 100.80 221
    122.5<4   fill A 2024-10-03T11:31 BUY 100 100.81 entry fee=0.00 order=122.4 origin=2024-10-03T11:15/BUY/TREND
    ");
    let mut always = live_with(|run| {
        hundred(run);
        run.config.execution.cooldown_bars = 0;
    });
    assert_snapshot!(story(&mut always), @"
    114.3<1   signal A 2024-10-03T10:15 2024-10-03T10:31 BUY TREND 100.50 176
    114.5<4   fill A 2024-10-03T10:31 BUY 100 100.51 entry fee=0.00 order=114.4 origin=2024-10-03T10:15/BUY/TREND
    116.3<1   signal A 2024-10-03T10:30 2024-10-03T10:46 SELL TREND 99.50 187
    116.5<4   fill A 2024-10-03T10:46 SELL 100 99.49 entry fee=0.00 order=116.4 origin=2024-10-03T10:30/SELL/TREND
    118.3<1   signal A 2024-10-03T10:45 2024-10-03T11:01 BUY TREND 100.60 199
    118.5<4   fill A 2024-10-03T11:01 BUY 100 100.61 entry fee=0.00 order=118.4 origin=2024-10-03T10:45/BUY/TREND
    120.3<1   signal A 2024-10-03T11:00 2024-10-03T11:16 SELL TREND 99.40 210
    120.5<4   fill A 2024-10-03T11:16 SELL 100 99.39 entry fee=0.00 order=120.4 origin=2024-10-03T11:00/SELL/TREND
    122.3<1   signal A 2024-10-03T11:15 2024-10-03T11:31 BUY TREND 100.80 221
    122.5<4   fill A 2024-10-03T11:31 BUY 100 100.81 entry fee=0.00 order=122.4 origin=2024-10-03T11:15/BUY/TREND
    ");
}

#[test]
fn an_atr_beyond_the_risk_gives_no_shares_and_75_are_traded() {
    let mut world = live_with(|run| run.config.strategy.risk_per_trade = Cash::from_rupees(1));
    assert_snapshot!(third_day(&mut world, &[BREAKOUT, "101 101 98 98", "98"]), @"
    106.3<1   signal A 2024-10-03T09:15 2024-10-03T09:31 BUY TREND 101.00 0
    106.5<4   fill A 2024-10-03T09:31 BUY 75 101.01 entry fee=0.00 order=106.4 origin=2024-10-03T09:15/BUY/TREND
    108.4<3   fill A 2024-10-03T09:46 SELL 75 99.95 stop fee=0.00 order=108.3 origin=2024-10-03T09:15/BUY/TREND
    ");
}

#[test]
fn nothing_closes_over_night_and_the_time_stop_counts_bars_across_it() {
    let mut world = live_with(|run| run.config.strategy.time_stop_bars = 3);
    world.tell(&quiet_day("2024-10-01"));
    world.tell(&quiet_day("2024-10-02"));
    let mut third = quiet(22);
    third.extend([BREAKOUT, "101 101 100.90 101", "101 101 100.90 101"]);
    world.tell(&format!("day 2024-10-03\n{}w 15:30", quarters(0, &third)));
    let morning = format!("day 2024-10-04\n{}", quarters(0, &["101 101 100.90 101"; 2]));
    assert_snapshot!(tape(&world.tell(&morning), deeds), @"
    157.3<1   order A 2024-10-04T09:31 SELL 482 time-stop origin=2024-10-03T14:45/BUY/TREND
    157.4<3   fill A 2024-10-04T09:31 SELL 482 100.99 time-stop fee=0.00 order=157.3 origin=2024-10-03T14:45/BUY/TREND
    157.5<4   position A 0 cost=0.00 realized=-9.64 cash=99990.36
    ");
}
