//! What the core does, told on the tape.

use insta::assert_snapshot;
use lockstep::domain::config::ExecutionProfile;
use lockstep::domain::event::{Output, RunStarted};
use lockstep::domain::fact::SignalKind;
use lockstep::domain::money::Cash;
use lockstep::domain::time::{Timestamp, Window};

use crate::world::{World, date, deeds, price, tape};

fn bars(output: &Output) -> bool {
    matches!(output, Output::Bar15m(_) | Output::Bar1m(_) | Output::Rejection(_))
}

/// A quiet first day; then A breaks its swing high of 100.50 in the first quarter of the second
/// day, which makes a TREND BUY at 09:30: price 101, ATR 1.0357, stop 99.96, target 103.07.
fn breakout() -> World {
    breakout_with(|_| {})
}

fn breakout_with(change: impl FnOnce(&mut RunStarted)) -> World {
    let mut world = World::new().with(change);
    assert_eq!(tape(&world.tell("quiet A 100"), signals_and_fills), "", "a quiet day stays quiet");
    world.tell("day 2024-10-02\n 09:15-09:28 A 100.50\n 09:29 A 100.50 101 99.50 101");
    world
}

fn signals_and_fills(output: &Output) -> bool {
    matches!(output, Output::Signal(_) | Output::Fill(_))
}

/// The deeds that follow these lines, without the numbers that only some stories are about.
fn deeds_of(world: &mut World, story: &str) -> String {
    tape(&world.tell(story), deeds)
}

#[test]
fn a_quarter_is_closed_by_the_watermark_and_not_by_the_next_bar() {
    let mut world = World::new();
    assert_eq!(tape(&world.tell("09:29 A 100 101 99 100.50 x7"), bars), "");
    assert_snapshot!(tape(&world.tell("w 09:30"), bars), @"2.1<0     bar-15m A 2024-10-01T09:15 2024-10-01T09:30 100.00 101.00 99.00 100.50 7 minutes=1 minutes_expected=15");
}

#[test]
fn the_last_quarter_of_the_day_is_known_at_the_close() {
    let mut world = World::new();
    world.tell("15:15-15:29 A 100");
    assert_snapshot!(tape(&world.tell("15:40 A 100 x3"), bars), @"31.1<0    rejection A 2024-10-01T15:40 outside-session");
}

#[test]
fn one_watermark_may_close_several_quarters_in_order_of_time_then_instrument() {
    let mut world = World::new();
    world.tell("09:20 B 50\n 09:21 A 100\n 09:31 A 101\n 09:46 B 51");
    assert_snapshot!(tape(&world.tell("w 10:00"), bars), @"
    5.1<0     bar-15m A 2024-10-01T09:15 2024-10-01T09:30 100.00 100.00 100.00 100.00 100 minutes=1 minutes_expected=15
    5.3<0     bar-15m B 2024-10-01T09:15 2024-10-01T09:30 50.00 50.00 50.00 50.00 100 minutes=1 minutes_expected=15
    5.5<0     bar-15m A 2024-10-01T09:30 2024-10-01T09:45 101.00 101.00 101.00 101.00 100 minutes=1 minutes_expected=15
    5.7<0     bar-15m B 2024-10-01T09:45 2024-10-01T10:00 51.00 51.00 51.00 51.00 100 minutes=1 minutes_expected=15
    ");
}

#[test]
fn what_comes_twice_late_or_at_night_is_refused_and_said_so() {
    let mut world = World::new();
    let story = "
        09:15 A 100
        09:15 A 200
        09:17 A 100
        09:16 A 100
        w 09:18
        09:17 A 100
        08:59 B 100
        15:30 B 100
        day 2024-10-05
        10:00 B 100";
    assert_snapshot!(tape(&world.tell(story), deeds), @"
    2.1<0     rejection A 2024-10-01T09:15 duplicate
    4.1<0     rejection A 2024-10-01T09:16 out-of-order
    6.1<0     rejection A 2024-10-01T09:17 late
    7.1<0     rejection B 2024-10-01T08:59 late
    8.1<0     rejection B 2024-10-01T15:30 outside-session
    9.1<0     rejection B 2024-10-05T10:00 outside-session
    ");
}

#[test]
fn ticks_become_minutes_and_minutes_become_quarters() {
    let mut world = World::new();
    let story = "
        09:15:01 A @100 x5
        09:15:59 A @102 x1
        09:16:00 A @101 x2
        09:15:30 A @99 x1
        w 09:16
        09:15:59 A @99 x1
        w 09:30";
    assert_snapshot!(tape(&world.tell(story), bars), @"
    5.1<0     bar-1m A 2024-10-01T09:15 100.00 102.00 99.00 102.00 7
    6.1<0     rejection A 2024-10-01T09:15:59 late
    7.1<0     bar-1m A 2024-10-01T09:16 101.00 101.00 101.00 101.00 2
    7.2<0     bar-15m A 2024-10-01T09:15 2024-10-01T09:30 100.00 102.00 99.00 101.00 9 minutes=2 minutes_expected=15
    ");
}

#[test]
fn a_signal_is_filled_at_the_next_open_and_leaves_at_its_stop() {
    let mut world = breakout();
    assert_snapshot!(deeds_of(&mut world, "w 09:30"), @"
    780.3<1   signal A 2024-10-02T09:15 2024-10-02T09:30 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.5,0.056022408963599446,0.5,0.5
    780.4<3   order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    ");
    assert_snapshot!(deeds_of(&mut world, "09:30 A 101.20 101.40 101.10 101.30"), @"
    781.1<0   fill A 2024-10-02T09:30 BUY 482 101.20 entry fee=0.00 order=780.4 origin=2024-10-02T09:15/BUY/TREND
    781.2<1   position A 482 cost=48778.40 realized=0.00 cash=51221.60
    ");
    assert_snapshot!(deeds_of(&mut world, "09:31 A 101.30 101.30 99.95 100"), @"
    782.1<0   order A 2024-10-02T09:32 SELL 482 stop origin=2024-10-02T09:15/BUY/TREND
    782.2<1   fill A 2024-10-02T09:32 SELL 482 99.95 stop fee=0.00 order=782.1 origin=2024-10-02T09:15/BUY/TREND
    782.3<2   position A 0 cost=0.00 realized=-602.50 cash=99397.50
    ");
}

#[test]
fn a_gap_through_the_stop_fills_at_the_open_and_not_at_the_stop() {
    let mut world = breakout();
    world.tell("w 09:30\n 09:30 A 101");
    assert_snapshot!(deeds_of(&mut world, "09:31 A 98 99 97 98.50"), @"
    782.1<0   order A 2024-10-02T09:31 SELL 482 stop origin=2024-10-02T09:15/BUY/TREND
    782.2<1   fill A 2024-10-02T09:31 SELL 482 98.00 stop fee=0.00 order=782.1 origin=2024-10-02T09:15/BUY/TREND
    782.3<2   position A 0 cost=0.00 realized=-1446.00 cash=98554.00
    ");
}

#[test]
fn inside_one_minute_the_stop_comes_first_but_an_open_beyond_the_target_came_before() {
    let mut world = breakout();
    world.tell("w 09:30\n 09:30 A 101");
    assert_snapshot!(deeds_of(&mut world, "09:31 A 101 110 90 101"), @"
    782.1<0   order A 2024-10-02T09:32 SELL 482 stop origin=2024-10-02T09:15/BUY/TREND
    782.2<1   fill A 2024-10-02T09:32 SELL 482 99.95 stop fee=0.00 order=782.1 origin=2024-10-02T09:15/BUY/TREND
    782.3<2   position A 0 cost=0.00 realized=-506.10 cash=99493.90
    ");
    let mut world = breakout();
    world.tell("w 09:30\n 09:30 A 101");
    assert_snapshot!(deeds_of(&mut world, "09:31 A 104 110 90 101"), @"
    782.1<0   order A 2024-10-02T09:31 SELL 482 target origin=2024-10-02T09:15/BUY/TREND
    782.2<1   fill A 2024-10-02T09:31 SELL 482 104.00 target fee=0.00 order=782.1 origin=2024-10-02T09:15/BUY/TREND
    782.3<2   position A 0 cost=0.00 realized=1446.00 cash=101446.00
    ");
}

#[test]
fn the_minute_of_the_entry_can_already_end_it() {
    let mut world = breakout();
    assert_snapshot!(deeds_of(&mut world, "w 09:30\n 09:30 A 101 103.10 101 103"), @"
    780.3<1   signal A 2024-10-02T09:15 2024-10-02T09:30 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.5,0.056022408963599446,0.5,0.5
    780.4<3   order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    781.1<0   fill A 2024-10-02T09:30 BUY 482 101.00 entry fee=0.00 order=780.4 origin=2024-10-02T09:15/BUY/TREND
    781.2<1   position A 482 cost=48682.00 realized=0.00 cash=51318.00
    781.3<0   order A 2024-10-02T09:31 SELL 482 target origin=2024-10-02T09:15/BUY/TREND
    781.4<3   fill A 2024-10-02T09:31 SELL 482 103.10 target fee=0.00 order=781.3 origin=2024-10-02T09:15/BUY/TREND
    781.5<4   position A 0 cost=0.00 realized=1012.20 cash=101012.20
    ");
}

#[test]
fn slippage_is_paid_on_market_and_stop_fills_but_not_on_targets() {
    let mut world = breakout_with(|run| run.config.execution.slippage_ticks = 2);
    assert_snapshot!(deeds_of(&mut world, "w 09:30\n 09:30 A 101\n 09:31 A 104"), @"
    780.3<1   signal A 2024-10-02T09:15 2024-10-02T09:30 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.5,0.056022408963599446,0.5,0.5
    780.4<3   order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    781.1<0   fill A 2024-10-02T09:30 BUY 482 101.10 entry fee=0.00 order=780.4 origin=2024-10-02T09:15/BUY/TREND
    781.2<1   position A 482 cost=48730.20 realized=0.00 cash=51269.80
    782.1<0   order A 2024-10-02T09:31 SELL 482 target origin=2024-10-02T09:15/BUY/TREND
    782.2<1   fill A 2024-10-02T09:31 SELL 482 104.00 target fee=0.00 order=782.1 origin=2024-10-02T09:15/BUY/TREND
    782.3<2   position A 0 cost=0.00 realized=1397.80 cash=101397.80
    ");
}

#[test]
fn a_position_is_closed_after_its_full_time() {
    let mut world = breakout_with(|run| run.config.strategy.time_stop_bars = 2);
    world.tell("w 09:30\n 09:30-09:59 A 101");
    assert_snapshot!(deeds_of(&mut world, "10:00 A 101.50"), @"
    841.1<0   fill A 2024-10-02T10:00 SELL 482 101.50 time-stop fee=0.00 order=840.3 origin=2024-10-02T09:15/BUY/TREND
    841.2<1   position A 0 cost=0.00 realized=241.00 cash=100241.00
    ");
}

#[test]
fn no_position_sees_the_end_of_the_session() {
    let mut world = breakout_with(|run| run.config.strategy.time_stop_bars = 100);
    world.tell("w 09:30");
    assert_snapshot!(deeds_of(&mut world, "09:30-15:29 A 101"), @"
    781.1<0   fill A 2024-10-02T09:30 BUY 482 101.00 entry fee=0.00 order=780.4 origin=2024-10-02T09:15/BUY/TREND
    781.2<1   position A 482 cost=48682.00 realized=0.00 cash=51318.00
    1470.3<0  order A 2024-10-02T15:15 SELL 482 session-end origin=2024-10-02T09:15/BUY/TREND
    1471.1<0  fill A 2024-10-02T15:15 SELL 482 101.00 session-end fee=0.00 order=1470.3 origin=2024-10-02T09:15/BUY/TREND
    1471.2<1  position A 0 cost=0.00 realized=0.00 cash=100000.00
    1500.3<0  session-ended 2024-10-02 gross=0.00 fees=0.00 equity=100000.00
    ");
}

#[test]
fn an_entry_that_finds_no_price_expires_with_the_session() {
    let mut world = breakout();
    assert_snapshot!(deeds_of(&mut world, "w 09:30\n w 15:30"), @"
    780.3<1   signal A 2024-10-02T09:15 2024-10-02T09:30 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.5,0.056022408963599446,0.5,0.5
    780.4<3   order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    781.1<0   rejection A 2024-10-02T09:30 expired
    781.2<0   session-ended 2024-10-02 gross=0.00 fees=0.00 equity=100000.00
    ");
}

#[test]
fn a_bar_with_a_missing_minute_signals_but_does_not_enter() {
    let story = "quiet A 100\n day 2024-10-02\n 09:15-09:27 A 100.50\n 09:29 A 100.50 101 99.50 101\n w 09:30";
    assert_snapshot!(deeds_of(&mut World::new(), story), @"
    750.3<0   session-ended 2024-10-01 gross=0.00 fees=0.00 equity=100000.00
    778.3<1   signal A 2024-10-02T09:15 2024-10-02T09:30 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=-4.9029033784546 margins=0.5,0.056022408963599446,0.5,0.5
    778.4<3   rejection A 2024-10-02T09:30 incomplete-bar
    ");
}

#[test]
fn nothing_enters_when_the_session_is_almost_over() {
    let mut world = World::new();
    let story = "quiet A 100\n day 2024-10-02\n 14:45-14:58 A 100.50\n 14:59 A 100.50 101 99.50 101\n w 15:00";
    assert_snapshot!(deeds_of(&mut world, story), @"
    750.3<0   session-ended 2024-10-01 gross=0.00 fees=0.00 equity=100000.00
    780.3<1   signal A 2024-10-02T14:45 2024-10-02T15:00 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.5,0.056022408963599446,0.5,0.5
    780.4<3   rejection A 2024-10-02T15:00 entry-cutoff
    ");
}

#[test]
fn after_an_exit_the_instrument_rests() {
    let mut world = breakout_with(|run| run.config.execution.cooldown_bars = 3);
    let story = "
        w 09:30
        09:30 A 101 101 90 101
        09:31-09:44 A 101
        09:45-09:58 A 101
        09:59 A 101 104 101 104
        w 10:00";
    assert_snapshot!(deeds_of(&mut world, story), @"
    780.3<1   signal A 2024-10-02T09:15 2024-10-02T09:30 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.5,0.056022408963599446,0.5,0.5
    780.4<3   order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    781.1<0   fill A 2024-10-02T09:30 BUY 482 101.00 entry fee=0.00 order=780.4 origin=2024-10-02T09:15/BUY/TREND
    781.2<1   position A 482 cost=48682.00 realized=0.00 cash=51318.00
    781.3<0   order A 2024-10-02T09:31 SELL 482 stop origin=2024-10-02T09:15/BUY/TREND
    781.4<3   fill A 2024-10-02T09:31 SELL 482 99.95 stop fee=0.00 order=781.3 origin=2024-10-02T09:15/BUY/TREND
    781.5<4   position A 0 cost=0.00 realized=-506.10 cash=99493.90
    839.3<1   signal A 2024-10-02T09:45 2024-10-02T10:00 BUY TREND 104.00 272 stop=102.16 target=107.67 atr=1.8369169096209914 vwap_dist=0.03711911357340727 ema_slope=0.003630170945698204 atr_pct=0.017662662592509534 adx=95.38142740591098 vol_z=0 margins=3.7222222222222285,0.3143407085468084,0,3
    839.4<3   rejection A 2024-10-02T10:00 cooldown
    ");
}

#[test]
fn a_second_signal_finds_the_position_open() {
    let mut world = breakout();
    let story = "
        w 09:30
        09:30-09:44 A 101
        09:45-09:58 A 101
        09:59 A 101 102 101 102
        w 10:00";
    assert_snapshot!(deeds_of(&mut world, story), @"
    780.3<1   signal A 2024-10-02T09:15 2024-10-02T09:30 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.5,0.056022408963599446,0.5,0.5
    780.4<3   order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    781.1<0   fill A 2024-10-02T09:30 BUY 482 101.00 entry fee=0.00 order=780.4 origin=2024-10-02T09:15/BUY/TREND
    781.2<1   position A 482 cost=48682.00 realized=0.00 cash=51318.00
    840.3<1   signal A 2024-10-02T09:45 2024-10-02T10:00 BUY TREND 102.00 518 stop=101.04 target=103.93 atr=0.9644679300291547 vwap_dist=0.009345794392523348 ema_slope=0.0017288581344714112 atr_pct=0.0094555679414623 adx=100.00000000000001 vol_z=0 margins=0.9444444444444429,0.20229589061963793,0,1
    840.4<3   rejection A 2024-10-02T10:00 position-open
    ");
}

#[test]
fn the_days_loss_counts_all_instruments_and_closes_them_all() {
    let mut world =
        World::new().with(|run| run.config.execution.daily_loss_max = Cash::from_rupees(600));
    let story = "
        quiet A,B 100
        day 2024-10-02
        09:15-09:28 A,B 100.50
        09:29 A,B 100.50 101 99.50 101
        w 09:30
        09:30-09:30 A,B 101";
    world.tell(story);
    assert_snapshot!(deeds_of(&mut world, "09:31-09:31 A,B 100.30\n 09:32-09:32 A,B 100.20"), @"
    1174.1<0  halt 2024-10-02T09:32 daily-loss day_profit=-674.80
    1174.2<1  order A 2024-10-02T09:32 SELL 482 daily-loss origin=2024-10-02T09:15/BUY/TREND
    1174.3<1  order B 2024-10-02T09:32 SELL 482 daily-loss origin=2024-10-02T09:15/BUY/TREND
    1175.1<0  fill A 2024-10-02T09:32 SELL 482 100.20 daily-loss fee=0.00 order=1174.2 origin=2024-10-02T09:15/BUY/TREND
    1175.2<1  position A 0 cost=0.00 realized=-385.60 cash=50932.40
    1176.1<0  fill B 2024-10-02T09:32 SELL 482 100.20 daily-loss fee=0.00 order=1174.3 origin=2024-10-02T09:15/BUY/TREND
    1176.2<1  position B 0 cost=0.00 realized=-385.60 cash=99228.80
    ");
}

#[test]
fn history_warms_up_and_never_signals() {
    let mut world = breakout_with(|run| run.config.active_from = date("2024-10-03").start());
    assert_eq!(deeds_of(&mut world, "w 09:30"), "");
}

#[test]
fn commands_pause_flatten_and_kill() {
    let mut world = breakout();
    assert_snapshot!(deeds_of(&mut world, "! 09:20 pause\n w 09:30\n ! 09:31 resume"), @"
    780.1<0   halt 2024-10-02T09:20 paused day_profit=0.00
    781.3<1   signal A 2024-10-02T09:15 2024-10-02T09:30 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.5,0.056022408963599446,0.5,0.5
    781.4<3   rejection A 2024-10-02T09:30 paused
    ");
    let mut world = breakout();
    world.tell("w 09:30\n 09:30 A 101");
    assert_snapshot!(deeds_of(&mut world, "! 09:31 kill\n 09:31 A 101.50"), @"
    782.1<0   halt 2024-10-02T09:31 killed day_profit=0.00
    782.2<1   order A 2024-10-02T09:31 SELL 482 command origin=2024-10-02T09:15/BUY/TREND
    783.1<0   fill A 2024-10-02T09:31 SELL 482 101.50 command fee=0.00 order=782.2 origin=2024-10-02T09:15/BUY/TREND
    783.2<1   position A 0 cost=0.00 realized=241.00 cash=100241.00
    ");
}

#[test]
fn a_session_of_one_hour_is_flat_when_it_ends() {
    let muhurat = |run: &mut RunStarted| {
        let day = date("2024-10-02");
        let (open, close) = (Timestamp::from_ist(day, 18, 0), Timestamp::from_ist(day, 19, 0));
        run.sessions[1].windows = vec![Window { open, close }];
    };
    let mut world = World::new().with(muhurat);
    let story = "
        quiet A 100
        day 2024-10-02
        18:00-18:13 A 100.50
        18:14 A 100.50 101 99.50 101
        w 18:15
        18:15-18:59 A 101";
    assert_snapshot!(deeds_of(&mut world, story), @"
    750.3<0   session-ended 2024-10-01 gross=0.00 fees=0.00 equity=100000.00
    780.3<1   signal A 2024-10-02T18:00 2024-10-02T18:15 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.5,0.056022408963599446,0.5,0.5
    780.4<3   order A 2024-10-02T18:15 BUY 482 entry origin=2024-10-02T18:00/BUY/TREND
    781.1<0   fill A 2024-10-02T18:15 BUY 482 101.00 entry fee=0.00 order=780.4 origin=2024-10-02T18:00/BUY/TREND
    781.2<1   position A 482 cost=48682.00 realized=0.00 cash=51318.00
    840.3<0   order A 2024-10-02T18:45 SELL 482 session-end origin=2024-10-02T18:00/BUY/TREND
    841.1<0   fill A 2024-10-02T18:45 SELL 482 101.00 session-end fee=0.00 order=840.3 origin=2024-10-02T18:00/BUY/TREND
    841.2<1   position A 0 cost=0.00 realized=0.00 cash=100000.00
    870.3<0   session-ended 2024-10-02 gross=0.00 fees=0.00 equity=100000.00
    ");
}

#[test]
fn a_return_into_the_band_is_bought() {
    let mut world = World::new().with(|run| run.config.strategy.adx_gate = 101.0);
    let story = "
        quiet A 100
        day 2024-10-02
        09:15-09:28 A 100 x10000
        09:29 A 100 100 95 95 x1
        w 09:30
        09:30-09:43 A 95 x1
        09:44 A 95 99 95 99 x1
        w 09:45";
    let records = world.tell(story);
    let is_reversion = |output: &Output| match output {
        Output::Signal(signal) => signal.kind == SignalKind::Reversion,
        _ => false,
    };
    assert_snapshot!(tape(&records, is_reversion), @"");
}

fn compat(run: &mut RunStarted) {
    run.config.execution.profile = ExecutionProfile::Compat;
}

#[test]
fn compat_trades_at_the_close_and_leaves_exactly_at_the_level() {
    let mut world = breakout_with(compat);
    assert_snapshot!(deeds_of(&mut world, "w 09:30"), @"
    780.3<1   signal A 2024-10-02T09:15 2024-10-02T09:30 BUY TREND 101.00 482 stop=99.96 target=103.07 atr=1.0357142857142858 vwap_dist=0.004975124378109453 ema_slope=0.00095238095238102 atr_pct=0.010254596888260255 adx=100.00000000000001 vol_z=0 margins=0.5,0.056022408963599446,0.5,0.5
    780.4<3   order A 2024-10-02T09:30 BUY 482 entry origin=2024-10-02T09:15/BUY/TREND
    780.5<4   fill A 2024-10-02T09:30 BUY 482 101.01 entry fee=0.00 order=780.4 origin=2024-10-02T09:15/BUY/TREND
    780.6<5   position A 482 cost=48686.82 realized=0.00 cash=51313.18
    ");
    assert_snapshot!(deeds_of(&mut world, "09:30 A 98 98 97 97\n w 09:45"), @"
    782.3<1   order A 2024-10-02T09:45 SELL 482 stop origin=2024-10-02T09:15/BUY/TREND
    782.4<3   fill A 2024-10-02T09:45 SELL 482 99.95 stop fee=0.00 order=782.3 origin=2024-10-02T09:15/BUY/TREND
    782.5<4   position A 0 cost=0.00 realized=-510.92 cash=99489.08
    782.6<1   signal A 2024-10-02T09:30 2024-10-02T09:45 SELL TREND 97.00 400 stop=98.25 target=94.51 atr=1.2474489795918369 vwap_dist=-0.032921383321217246 ema_slope=-0.0029450410040324808 atr_pct=0.01286029875867873 adx=97.76247848537007 vol_z=-5.003702332976756 margins=3.302083333333343,0.11957724266176228,1.5,2.5
    782.7<6   order A 2024-10-02T09:45 SELL 400 entry origin=2024-10-02T09:30/SELL/TREND
    782.8<7   fill A 2024-10-02T09:45 SELL 400 96.99 entry fee=0.00 order=782.7 origin=2024-10-02T09:30/SELL/TREND
    782.9<8   position A -400 cost=-38796.00 realized=-510.92 cash=138285.08
    ");
}

#[test]
fn compat_holds_over_night_and_stops_for_good_at_the_limit_of_fills() {
    let mut world = breakout_with(|run| {
        compat(run);
        run.config.execution.trades_max = 1;
    });
    world.tell("w 09:30");
    assert_snapshot!(deeds_of(&mut world, "w 15:30\n day 2024-10-03\n 09:15 A 90\n w 09:30"), @"
    781.1<0   session-ended 2024-10-02 gross=-4.82 fees=0.00 equity=99995.18
    783.3<1   halt 2024-10-03T09:30 killed day_profit=-506.10
    ");
}

#[test]
fn a_price_grid_moves_levels_away_from_the_entry() {
    let mut world = breakout_with(|run| run.instruments[0].listings[0].tick = price("0.50"));
    world.tell("w 09:30\n 09:30 A 101");
    assert_eq!(deeds_of(&mut world, "09:31 A 101 101 99.96 101"), "", "the stop moved to 99.50");
    assert_snapshot!(deeds_of(&mut world, "09:32 A 101 101 99.50 101"), @"
    783.1<0   order A 2024-10-02T09:33 SELL 482 stop origin=2024-10-02T09:15/BUY/TREND
    783.2<1   fill A 2024-10-02T09:33 SELL 482 99.50 stop fee=0.00 order=783.1 origin=2024-10-02T09:15/BUY/TREND
    783.3<2   position A 0 cost=0.00 realized=-723.00 cash=99277.00
    ");
}
