//! Stories of one instrument, and the law that it does not matter where the stream is cut.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::testing::{ID, Story, at, halt, morning};
use super::*;
use crate::domain::event::{
    CommandKind, EndReason, Event, EventId, Input, Output, Record, RunEnded,
};
use crate::domain::fact::{
    Backfill, BackfillOrigin, Bar, Bar15m, Gap, Notice, NoticeKind, OrderReason, RejectReason,
};
use crate::domain::money::{Qty, Side};
use crate::sinks::Sink as _;

/// All rows of a story.
fn rows(records: &[Record]) -> Rows {
    let (mut tables, mut rows) = (Tables::default(), Rows::default());
    records.iter().cloned().for_each(|record| tables.record(record));
    tables.settle();
    rows.merge(tables.take());
    rows
}

/// Some columns of a table, one line for each row.
fn table(rows: &Rows, table: TableId, columns: &str) -> String {
    let place = |name: &str| table.columns().iter().position(|column| column.name == name);
    let places: Vec<usize> = columns.split(' ').map(|name| place(name).unwrap()).collect();
    let line = |row: &Row| {
        let cells: Vec<String> = places.iter().map(|place| row[*place].to_string()).collect();
        cells.join(" | ")
    };
    rows.of(table).map(line).collect::<Vec<_>>().join("\n")
}

/// What the strategy makes of the instrument after each step that changed it.
fn states(story: &Story) -> String {
    let mut tables = Tables::default();
    let mut lines = String::new();
    for record in story.records.iter().cloned().map(Some).chain([None]) {
        match record {
            Some(record) => tables.record(record),
            None => tables.settle(),
        }
        let state = "updated_at last_bar_ts status signal_state current_bias confidence position";
        let line = table(&tables.take(), TableId::RunnerState, state);
        if !line.is_empty() {
            lines += &format!("{line}\n");
        }
    }
    lines
}

#[test]
fn a_trigger_lives_one_bar_and_the_rest_is_position_and_cooldown() {
    assert_snapshot!(states(&morning()), @"
    2024-10-01 00:00:00 |  | WARMUP | PENDING | NEUTRAL | 0 | 0
    2024-10-01 09:16:00 |  | RUNNING | PENDING | NEUTRAL | 0 | 0
    2024-10-01 09:30:00 | 2024-10-01 09:15:00 | RUNNING | PENDING | NEUTRAL | 0 | 0
    2024-10-01 09:45:00 | 2024-10-01 09:30:00 | RUNNING | TRIGGERED | BUY | 0.5 | 0
    2024-10-01 10:00:00 | 2024-10-01 09:45:00 | RUNNING | TRIGGERED | BUY | 0.5 | 0
    2024-10-01 10:01:00 | 2024-10-01 09:45:00 | RUNNING | TRIGGERED | BUY | 0.5 | 40
    2024-10-01 10:15:00 | 2024-10-01 10:00:00 | RUNNING | IN_POSITION | NEUTRAL | 0 | 40
    2024-10-01 10:16:00 | 2024-10-01 10:00:00 | RUNNING | COOLDOWN | NEUTRAL | 0 | 0
    2024-10-01 10:30:00 | 2024-10-01 10:15:00 | RUNNING | COOLDOWN | NEUTRAL | 0 | 0
    2024-10-01 10:45:00 | 2024-10-01 10:30:00 | RUNNING | COOLDOWN | NEUTRAL | 0 | 0
    2024-10-01 11:00:00 | 2024-10-01 10:45:00 | RUNNING | PENDING | NEUTRAL | 0 | 0
    ");
}

#[test]
fn a_signal_is_taken_or_declined_and_a_trade_has_both_ends() {
    let rows = rows(&morning().records);
    let signals = table(
        &rows,
        TableId::Signals,
        "bar_ts signal_type event_type status decline_reason price quantity stop target created_at",
    );
    assert_eq!(signals.lines().count(), 2);
    let mut signals: Vec<&str> = signals.lines().collect();
    signals.sort_unstable();
    assert_snapshot!(signals.join("\n"), @"
    2024-10-01 09:30:00 | BUY | TREND | DECLINED | incomplete-bar | 101 | 40 | 99.95 | 102.1 | 2024-10-01 09:45:00
    2024-10-01 09:45:00 | BUY | TREND | TAKEN |  | 101.05 | 40 | 99.95 | 102.1 | 2024-10-01 10:00:00
    ");
    let trades = "trade_id side entry_time exit_time entry_price exit_price quantity pnl fees net \
                  exit_reason status";
    assert_snapshot!(table(&rows, TableId::Trades, trades), @"6.1 | BUY | 2024-10-01 10:00:00 | 2024-10-01 10:16:00 | 101.15 | 99.9 | 40 | -50 | 42.2468 | -92.2468 | stop | CLOSED");
    let orders = "order_id side quantity reason status created_at";
    assert_snapshot!(table(&rows, TableId::Orders, orders), @"
    5.3 | BUY | 40 | entry | FILLED | 2024-10-01 10:00:00
    8.1 | SELL | 40 | stop | FILLED | 2024-10-01 10:15:00
    ");
    let id = |of| table(&rows, of, "signal_id");
    assert!(id(TableId::Signals).contains(&id(TableId::Trades)));
}

#[test]
fn a_refused_minute_is_no_candle_but_is_counted() {
    let rows = rows(&morning().records);
    let candles = table(&rows, TableId::Candles, "timeframe timestamp close is_complete source");
    assert_snapshot!(candles, @"
    15m | 2024-10-01 09:15:00 | 100 | true | minutes
    15m | 2024-10-01 09:30:00 | 101 | true | minutes
    15m | 2024-10-01 09:45:00 | 101.05 | true | minutes
    15m | 2024-10-01 10:00:00 | 100.5 | true | minutes
    15m | 2024-10-01 10:15:00 | 100 | true | minutes
    15m | 2024-10-01 10:30:00 | 100 | true | minutes
    15m | 2024-10-01 10:45:00 | 100 | true | minutes
    1m | 2024-10-01 09:15:00 | 100.05 | true | bar
    1m | 2024-10-01 10:00:00 | 101.1 | true | bar
    1m | 2024-10-01 10:15:00 | 99.9 | true | bar
    ");
    assert_snapshot!(table(&rows, TableId::Refused, "reason count last_timestamp"), @"duplicate | 1 | 2024-10-01 09:15:00");
}

#[test]
fn an_open_trade_has_no_exit() {
    let story = morning();
    let exit = story.records.iter().position(|record| record.id.seq == 8).unwrap();
    let rows = rows(&story.records[..exit]);
    let trades = "entry_time exit_time exit_price pnl net exit_reason exit_time_utc status";
    assert_snapshot!(table(&rows, TableId::Trades, trades), @"2024-10-01 10:00:00 |  |  |  |  |  |  | OPEN");
}

#[test]
fn an_order_that_is_withdrawn_takes_its_signal_with_it() {
    let mut story = Story::begin();
    let bar = story.quarter("09:15", "100");
    let (signal, index) = story.signal("09:15", Side::Buy, "100", bar);
    story.order(&signal, Side::Buy, OrderReason::Entry, index);
    story.watermark("15:30");
    story.no(0, "09:30", RejectReason::Expired);
    let rows = rows(&story.records);
    assert_eq!(table(&rows, TableId::Signals, "status decline_reason"), "DECLINED | expired");
    assert_eq!(table(&rows, TableId::Orders, "status"), "WITHDRAWN");
    assert_eq!(table(&rows, TableId::Rejections, "subject reason"), "order | expired");
}

#[test]
fn halts_pauses_and_kills_are_over_when_they_are() {
    let mut story = Story::begin();
    story.watermark("09:16");
    story.command("09:20", CommandKind::Pause, Some(RejectReason::Paused));
    story.command("09:21", CommandKind::Kill, Some(RejectReason::Killed));
    story.command("09:22", CommandKind::Release, None);
    story.command("09:23", CommandKind::Resume, None);
    story.watermark("09:30");
    story.output(0, halt("09:30", RejectReason::DailyLoss));
    story.input(Input::RunEnded(RunEnded { time: at("09:31"), reason: EndReason::Completed }));
    let words = states(&story);
    let words: Vec<&str> = words.lines().map(|line| line.split(" | ").nth(2).unwrap()).collect();
    let want = ["WARMUP", "RUNNING", "PAUSED", "KILLED", "PAUSED", "RUNNING", "HALTED", "ENDED"];
    assert_eq!(words, want);
}

#[test]
fn a_kill_that_a_signal_brings_about_declines_it() {
    let mut story = Story::begin();
    let bar = story.quarter("09:15", "100");
    let (_, index) = story.signal("09:15", Side::Buy, "100", bar);
    story.output(index, halt("09:30", RejectReason::Killed));
    let rows = rows(&story.records);
    assert_eq!(table(&rows, TableId::Signals, "status decline_reason"), "DECLINED | killed");
}

#[test]
fn archives_complete_and_revise_and_what_happened_at_the_feed_is_there() {
    let mut story = Story::begin();
    story.quarter("09:15", "100");
    story.minute("09:20", "101");
    let Event::Input(Input::Bar(bar)) = story.records.pop().unwrap().event else { panic!() };
    let mut again = Story::begin();
    again.quarter("09:15", "100");
    let origin = BackfillOrigin::Intraday;
    again.input(Input::Backfill(Backfill { bar, origin }));
    again.watermark("09:31");
    let Event::Output(Output::Bar15m(old)) = &story.records[2].event else { panic!() };
    again.output(0, Output::BarRevised(Bar15m { close: bar.close, minutes: 14, ..*old }));
    again.input(Input::Gap(Gap { instrument: ID, from: at("09:31:05"), to: at("09:33") }));
    let (time, kind) = (at("09:33"), NoticeKind::FeedUp);
    let notice = Notice { time, kind, instrument: None, detail: "1 key".into() };
    again.input(Input::Notice(Box::new(notice)));
    let rows = rows(&again.records);
    let candles = "timeframe timestamp close volume is_complete source";
    assert_snapshot!(table(&rows, TableId::Candles, candles), @"
    15m | 2024-10-01 09:15:00 | 101 | 150 | false | revised
    1m | 2024-10-01 09:20:00 | 101 | 10 | true | backfill-intraday
    ");
    assert_snapshot!(table(&rows, TableId::Notices, "timestamp kind symbol detail"), @"
    2024-10-01 09:33:00 | gap | NSE_EQ|INE155A01022 | from 2024-10-01T09:31:05 to 2024-10-01T09:33
    2024-10-01 09:33:00 | feed-up |  | 1 key
    ");
}

#[test]
fn every_column_of_every_row_is_of_its_kind() {
    let rows = rows(&morning().records);
    for table in TableId::ALL {
        for row in rows.of(table) {
            assert_eq!(row.len(), table.columns().len(), "{}", table.name());
            for (cell, column) in row.iter().zip(table.columns()) {
                let fits = match cell {
                    Cell::Null => true,
                    Cell::Flag(_) => column.kind == ColumnKind::Flag,
                    Cell::Int(_) => column.kind == ColumnKind::Int,
                    Cell::Double(_) => column.kind == ColumnKind::Double,
                    Cell::Time(_) => column.kind == ColumnKind::Time,
                    Cell::Text(_) => column.kind == ColumnKind::Text,
                };
                assert!(fits, "{}.{}: {cell:?}", table.name(), column.name);
            }
        }
    }
}

/// A run of many steps, from numbers.
fn any_story(moves: &[(u8, u8)]) -> Story {
    let mut story = Story::begin();
    let mut entry = None;
    for (place, (what, price)) in (0..).zip(moves) {
        let label = at("09:15").plus_minutes(15 * place).to_string();
        let close = format!("{}.{:02}", 100 + price % 9, price % 100);
        match what % 6 {
            0 => story.minute(&label, &close),
            1 => {
                story.minute(&label, &close);
                story.no(0, &label, RejectReason::Late);
            }
            2 => {
                story.quarter(&label, &close);
            }
            3 => {
                let bar = story.quarter(&label, &close);
                let side = if price % 2 == 0 { Side::Buy } else { Side::Sell };
                let (signal, index) = story.signal(&label, side, &close, bar);
                if price % 3 == 0 {
                    let clock = signal.time.to_string();
                    story.no(index, &clock, RejectReason::Cooldown);
                } else {
                    let id = story.order(&signal, side, OrderReason::Entry, index);
                    entry = Some((id, signal));
                }
            }
            4 => {
                if let Some((id, signal)) = entry.take() {
                    story.minute(&label, &close);
                    let deal = (signal.side, label.as_str(), close.as_str(), OrderReason::Entry);
                    story.fill(id, &signal, deal);
                }
            }
            _ => story.command(&label, CommandKind::Pause, Some(RejectReason::Paused)),
        }
    }
    story
}

proptest! {
    /// Rows that are taken after any records, be it in the middle of a step, are in the end those
    /// that are taken once.
    #[test]
    fn it_does_not_matter_where_the_stream_is_cut(
        moves in prop::collection::vec((any::<u8>(), any::<u8>()), 1..60),
        cuts in prop::collection::vec(any::<bool>(), 1..200),
    ) {
        let story = any_story(&moves);
        let (mut tables, mut pieces) = (Tables::default(), Rows::default());
        for (record, cut) in story.records.iter().zip(cuts.iter().cycle()) {
            tables.record(record.clone());
            if *cut {
                pieces.merge(tables.take());
            }
        }
        tables.settle();
        pieces.merge(tables.take());
        let whole = rows(&story.records);
        prop_assert_eq!(pieces.hash(), whole.hash());
        prop_assert_eq!(pieces, whole);
    }

    /// A driver that says when a step is over changes no row.
    #[test]
    fn a_word_at_the_end_of_a_step_changes_nothing(
        moves in prop::collection::vec((any::<u8>(), any::<u8>()), 1..40),
    ) {
        let story = any_story(&moves);
        let mut tables = Tables::default();
        for (seq, input, derived) in story.steps() {
            tables.input(seq, &input);
            for (index, derived) in (1..).zip(&derived) {
                tables.output(EventId { seq, index }, derived);
            }
            tables.told();
        }
        prop_assert_eq!(tables.take(), rows(&story.records));
    }
}

#[test]
fn the_hash_sees_every_cell() {
    let whole = rows(&morning().records);
    let hash = whole.hash();
    for table in TableId::ALL {
        for row in whole.of(table) {
            for place in table.key()..row.len() {
                let (mut bent, mut row) = (whole.clone(), row.clone());
                row[place] = Cell::text("bent");
                bent.put(table, row);
                assert_ne!(bent.hash(), hash);
            }
        }
    }
}

#[test]
fn volume_of_a_bar_is_its_own() {
    let bar = Bar { volume: Qty(7), ..minute_bar() };
    let mut story = Story::begin();
    story.input(Input::Bar(bar));
    assert_eq!(table(&rows(&story.records), TableId::Candles, "volume"), "7");
}

fn minute_bar() -> Bar {
    let mut story = Story::default();
    story.minute("09:15", "100");
    match story.records.pop().unwrap().event {
        Event::Input(Input::Bar(bar)) => bar,
        other => panic!("{other:?}"),
    }
}
