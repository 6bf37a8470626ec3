//! Stories of a feed: how trades become minutes, what is missing, and what is completed later.

use insta::assert_snapshot;
use lockstep::domain::event::Output;

use crate::world::{World, tape};

/// Everything but indicator rows.
fn told(output: &Output) -> bool {
    !matches!(output, Output::Indicators(_))
}

fn tell(world: &mut World, story: &str) -> String {
    tape(&world.tell(story), told)
}

#[test]
fn a_minutes_volume_is_what_the_day_grew_by_and_the_auction_is_not_in_it() {
    let mut world = World::new();
    let story = "
        09:07 A @100 x900 v900
        09:15:01 A @100 x5 v905
        09:15:40 A @101 x1 v1000
        09:16:10 A @102 x1 v1001
        w 09:17";
    assert_snapshot!(tell(&mut world, story), @"
    1.1<0     rejection A 2024-10-01T09:07 outside-session
    5.1<0     bar-1m A 2024-10-01T09:15 100.00 101.00 100.00 101.00 100
    5.2<0     bar-1m A 2024-10-01T09:16 102.00 102.00 102.00 102.00 1
    ");
}

#[test]
fn a_stale_packet_changes_nothing() {
    let mut world = World::new();
    let story = "
        09:15:01 A @100 v10
        09:15:30 A @101 v30
        09:15:20 A @99 v20
        09:15:30 A @101 v30
        09:16:00 A @102 v25
        w 09:17";
    assert_snapshot!(tell(&mut world, story), @"
    6.1<0     bar-1m A 2024-10-01T09:15 100.00 101.00 99.00 101.00 30
    6.2<0     bar-1m A 2024-10-01T09:16 102.00 102.00 102.00 102.00 0
    ");
}

#[test]
fn what_came_late_was_not_traded_in_the_minutes_that_follow() {
    let mut world = World::new();
    let story = "
        09:15:01 A @100 v10
        w 09:16
        09:15:40 A @101 v30
        09:16:10 A @102 v31
        w 09:17";
    assert_snapshot!(tell(&mut world, story), @"
    2.1<0     bar-1m A 2024-10-01T09:15 100.00 100.00 100.00 100.00 10
    3.1<0     rejection A 2024-10-01T09:15:40 late
    5.1<0     bar-1m A 2024-10-01T09:16 102.00 102.00 102.00 102.00 1
    ");
}

#[test]
fn a_minute_in_a_gap_is_not_made_and_the_next_one_counts_from_what_was_seen() {
    let mut world = World::new();
    let story = "
        09:15:01 A @100 v10
        gap A 09:15:20 09:16:30
        09:16:40 A @105 v500
        09:17:10 A @106 v520
        w 09:18
        w 09:30";
    assert_snapshot!(tell(&mut world, story), @"
    5.1<0     rejection A 2024-10-01T09:15 gap
    5.2<0     rejection A 2024-10-01T09:16 gap
    5.3<0     bar-1m A 2024-10-01T09:17 106.00 106.00 106.00 106.00 20
    6.1<0     bar-15m A 2024-10-01T09:15 2024-10-01T09:30 106.00 106.00 106.00 106.00 20 minutes=1 minutes_expected=15
    ");
}

#[test]
fn an_archive_completes_a_bar_before_it_is_known() {
    let mut world = World::new();
    let story = "
        09:15:01 A @100 v10
        gap A 09:15:20 09:16:30
        09:16:40 A @105 v500
        09:17:10 A @106 v520
        w 09:18
        backfill 09:16 A 100 107 99 105 x480
        backfill 09:15 A 100 101 98 100 x20
        w 09:30";
    assert_snapshot!(tell(&mut world, story), @"
    5.1<0     rejection A 2024-10-01T09:15 gap
    5.2<0     rejection A 2024-10-01T09:16 gap
    5.3<0     bar-1m A 2024-10-01T09:17 106.00 106.00 106.00 106.00 20
    8.1<0     bar-15m A 2024-10-01T09:15 2024-10-01T09:30 100.00 107.00 98.00 106.00 520 minutes=3 minutes_expected=15
    ");
}

#[test]
fn an_archive_completes_a_bar_after_it_was_known_until_the_day_is_over() {
    let mut world = World::new();
    let story = "
        09:16:40 A @105 v500
        w 09:30
        backfill 09:15 A 100 101 98 100 x20
        backfill 09:16 A 100 107 99 105 x480
        backfill 09:16 A 100 107 99 105 x480
        w 09:31
        w 15:30
        backfill 09:17 A 100 107 99 105 x480";
    assert_snapshot!(tell(&mut world, story), @"
    2.1<0     bar-1m A 2024-10-01T09:16 105.00 105.00 105.00 105.00 500
    2.2<0     bar-15m A 2024-10-01T09:15 2024-10-01T09:30 105.00 105.00 105.00 105.00 500 minutes=1 minutes_expected=15
    5.1<0     rejection A 2024-10-01T09:16 duplicate
    6.1<0     bar-15m-revised A 2024-10-01T09:15 2024-10-01T09:30 100.00 107.00 98.00 105.00 500 minutes=2 minutes_expected=15
    7.1<0     session-ended 2024-10-01 gross=0.00 fees=0.00 equity=100000.00
    8.1<0     rejection A 2024-10-01T09:17 outside-session
    ");
}

#[test]
fn an_archive_does_not_complete_what_came_as_bars() {
    let mut world = World::new();
    let story = "
        09:15 A 100
        09:17 A 100
        w 09:18
        backfill 09:16 A 100 107 99 105 x480
        backfill 15:31 A 100";
    assert_snapshot!(tell(&mut world, story), @"
    4.1<0     rejection A 2024-10-01T09:16 out-of-order
    5.1<0     rejection A 2024-10-01T15:31 outside-session
    ");
}
