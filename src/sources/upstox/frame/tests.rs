//! Messages as bytes and what is read from them.

use proptest::prelude::*;

use super::*;

/// Made with protoc from the published schema; the values are invented.
const MARKET_INFO: &str = "080218a8e5ec89e833220c0a0a0a064e53455f45511002";
const SNAPSHOT: &str = "12340a134e53455f45517c494e45323435413031303231121d0a1b099a99999999d1764010e6e7b78ae833181921666666666696764018d2f0b78ae833";
const LIVE: &str = "080112e7010a134e53455f45517c494e4532343541303130323112cf0112ca010ac7010a1b09cdcccccccce0764010c5a1de8ae833180a216666666666967640121a0a1808b009110000000000e0764018d20621cdcccccccce07640226a0a330a023164110000000000b07640199a99999999e9764021cdcccccccca8764029cdcccccccce0764030e2f96f38c098b3fae7330a330a02493111cdccccccccdc7640193333333333e37640210000000000dc7640290000000000e0764030a68f013880ccda8ae8332952b81e85ebcd764030ecf96f4900000000b0441f415100000000f8701e41800101200118fca3de8ae833";
const CLOSING: &str = "080218ba83a6e1fc33222a0a0a0a064e53455f45511002121c0a064e53455f455112120a094354535f434c4f534510e082a6e1fc33";

const KEY: &str = "NSE_EQ|INE245A01021";

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn read(hex: &str) -> Frame {
    decode(&bytes(hex)).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn rupees(text: &str) -> Price {
    Price::parse(text).unwrap()
}

fn empty(kind: FrameKind) -> Frame {
    Frame { kind, sent: None, quotes: Vec::new(), phases: Vec::new(), refused: Vec::new() }
}

fn phase(of: PhaseOf, status: &str, since: Option<Timestamp>) -> SegmentPhase {
    SegmentPhase { of, segment: "NSE_EQ".to_owned(), status: status.to_owned(), since }
}

#[test]
fn the_phases_come_first() {
    let want = Frame {
        sent: Some(Timestamp(1_780_284_601_000_000)),
        phases: vec![phase(PhaseOf::Segment, "NORMAL_OPEN", None)],
        ..empty(FrameKind::MarketInfo)
    };
    assert_eq!(read(MARKET_INFO), want);
}

#[test]
fn a_snapshot_is_a_message_without_a_type() {
    let trade = LastTrade {
        price: rupees("365.1"),
        time: at("2026-06-01T09:20:30.118"),
        quantity: Qty(25),
    };
    let quote = KeyQuote {
        key: KEY.to_owned(),
        trade: Some(trade),
        day_volume: None,
        minute: None,
        indicative: None,
        mode: 0,
    };
    let want = Frame {
        sent: Some(at("2026-06-01T09:20:31.250")),
        quotes: vec![quote],
        ..empty(FrameKind::Snapshot)
    };
    assert_eq!(read(SNAPSHOT), want);
}

#[test]
fn a_full_message_has_the_trade_the_day_and_the_last_minute() {
    let trade = LastTrade {
        price: rupees("366.05"),
        time: at("2026-06-01T09:31:00.101"),
        quantity: Qty(10),
    };
    let minute = Minute {
        open_time: at("2026-06-01T09:30"),
        open: rupees("365.8"),
        high: rupees("366.2"),
        low: rupees("365.75"),
        close: rupees("366"),
        volume: Qty(18_342),
    };
    let quote = KeyQuote {
        key: KEY.to_owned(),
        trade: Some(trade),
        day_volume: Some(Qty(1_834_220)),
        minute: Some(minute),
        indicative: None,
        mode: 1,
    };
    let want = Frame {
        sent: Some(at("2026-06-01T09:31:00.412")),
        quotes: vec![quote],
        ..empty(FrameKind::Live)
    };
    assert_eq!(read(LIVE), want);
}

#[test]
fn the_closing_auction_has_a_phase_of_its_own() {
    let since = Some(at("2026-08-04T15:15"));
    let want = Frame {
        sent: Some(Timestamp(1_785_836_700_090_000)),
        phases: vec![
            phase(PhaseOf::Segment, "NORMAL_OPEN", None),
            phase(PhaseOf::ClosingAuction, "CTS_CLOSE", since),
        ],
        ..empty(FrameKind::MarketInfo)
    };
    assert_eq!(read(CLOSING), want);
}

/// A message with these entries.
fn message(feeds: impl IntoIterator<Item = (&'static str, FeedUnion)>) -> FeedResponse {
    let feed = |union| proto::Feed { request_mode: 1, feed_union: Some(union) };
    let feeds = feeds.into_iter().map(|(key, union)| (key.to_owned(), feed(union))).collect();
    FeedResponse { r#type: 1, feeds, ..FeedResponse::default() }
}

fn trade(ltp: f64) -> Ltpc {
    Ltpc { ltp, ltt: 1_780_286_460_101, ltq: 10, ..Ltpc::default() }
}

fn market(feed: MarketFullFeed) -> FeedUnion {
    let full_feed_union = Some(FullFeedUnion::MarketFf(feed));
    FeedUnion::FullFeed(proto::FullFeed { full_feed_union })
}

fn minute_bar(ts: i64, ohlc: [f64; 4]) -> proto::Ohlc {
    let [open, high, low, close] = ohlc;
    proto::Ohlc { interval: MINUTE.to_owned(), open, high, low, close, vol: 100, ts }
}

#[test]
fn the_last_trade_is_found_in_all_four_places() {
    let level =
        proto::FirstLevelWithGreeks { ltpc: Some(trade(3.0)), vtt: 9, ..Default::default() };
    let index = IndexFullFeed { ltpc: Some(trade(4.0)), market_ohlc: None };
    let index = proto::FullFeed { full_feed_union: Some(FullFeedUnion::IndexFf(index)) };
    let frame = decode(
        &message([
            ("A", FeedUnion::Ltpc(trade(1.0))),
            ("B", market(MarketFullFeed { ltpc: Some(trade(2.0)), vtt: 7, ..Default::default() })),
            ("C", FeedUnion::FirstLevelWithGreeks(level)),
            ("D", FeedUnion::FullFeed(index)),
        ])
        .encode_to_vec(),
    )
    .unwrap();
    let read: Vec<(i64, Option<Qty>)> =
        frame.quotes.iter().map(|it| (it.trade.unwrap().price.0, it.day_volume)).collect();
    assert_eq!(
        read,
        [(10_000, None), (20_000, Some(Qty(7))), (30_000, Some(Qty(9))), (40_000, None)]
    );
}

#[test]
fn what_is_absent_has_not_changed() {
    let depth_only = market(MarketFullFeed { tbq: 512_300.0, ..Default::default() });
    let no_trade_yet = FeedUnion::Ltpc(Ltpc { cp: 361.4, ..Ltpc::default() });
    let mut message = message([("A", depth_only), ("B", no_trade_yet)]);
    message.feeds.insert("C".to_owned(), proto::Feed::default());
    let frame = decode(&message.encode_to_vec()).unwrap();
    let keys: Vec<&str> = frame.quotes.iter().map(|quote| quote.key.as_str()).collect();
    assert_eq!(keys, ["A", "B", "C"], "a sign of life even so");
    for quote in &frame.quotes {
        assert_eq!((quote.trade, quote.day_volume, quote.indicative), (None, None, None));
        assert_eq!(quote.minute, None);
    }
    assert_eq!((frame.sent, frame.refused), (None, Vec::new()));
}

#[test]
fn the_indicative_price_is_no_trade() {
    let in_ltpc = FeedUnion::Ltpc(Ltpc { iep: Some(365.5), ..Ltpc::default() });
    let in_full =
        market(MarketFullFeed { iep: 366.5, ltpc: Some(trade(1.0)), ..Default::default() });
    let frame = decode(&message([("A", in_ltpc), ("B", in_full)]).encode_to_vec()).unwrap();
    let read: Vec<_> = frame.quotes.iter().map(|it| (it.indicative, it.trade.is_some())).collect();
    assert_eq!(read, [(Some(rupees("365.5")), false), (Some(rupees("366.5")), true)]);
}

#[test]
fn what_cannot_be_true_costs_nobody_else() {
    let no_time = FeedUnion::Ltpc(Ltpc { ltt: 0, ..trade(5.0) });
    let bad_volume = MarketFullFeed { ltpc: Some(trade(5.0)), vtt: -1, ..Default::default() };
    let ohlc = vec![minute_bar(1_780_286_400_000, [1.0, 2.0, 1.5, 1.5])];
    let bad_minute = MarketFullFeed {
        ltpc: Some(trade(5.0)),
        vtt: 8,
        market_ohlc: Some(MarketOhlc { ohlc }),
        ..Default::default()
    };
    let message = message([
        ("A", FeedUnion::Ltpc(trade(f64::NAN))),
        ("B", FeedUnion::Ltpc(trade(-365.1))),
        ("C", FeedUnion::Ltpc(trade(1e300))),
        ("D", no_time),
        ("E", market(bad_volume)),
        ("F", market(bad_minute)),
        ("G", FeedUnion::Ltpc(trade(5.0))),
        ("H\n", FeedUnion::Ltpc(trade(5.0))),
    ]);
    let message = FeedResponse { current_ts: 7, ..message };
    let frame = decode(&message.encode_to_vec()).unwrap();
    let alive: Vec<(&str, bool, Option<Qty>)> = frame
        .quotes
        .iter()
        .map(|it| (it.key.as_str(), it.trade.is_some(), it.day_volume))
        .collect();
    let none = |key| (key, false, None);
    let sound = [("F", true, Some(Qty(8))), ("G", true, None)];
    assert_eq!(alive[..5], ["A", "B", "C", "D", "E"].map(none));
    assert_eq!(alive[5..], sound);
    let refused: Vec<String> =
        frame.refused.iter().map(|it| format!("{}: {}", it.key, it.why)).collect();
    insta::assert_snapshot!(refused.join("\n"), @r"
    : currentTs 7 ms is no time between 2000-01-01 and 2100-01-01
    A: ltp NaN is no price; prices are above 0 and at most 100000000.00 rupees
    B: ltp -365.1 is no price; prices are above 0 and at most 100000000.00 rupees
    C: ltp 1e300 is no price; prices are above 0 and at most 100000000.00 rupees
    D: ltt 0 ms is no time between 2000-01-01 and 2100-01-01
    E: vtt -1 is no number of shares; it is 0 to 1000000000000
    F: low 1.50 <= open 1.00, close 1.50 <= high 2.00 does not hold
    H: is no instrument key
    ");
}

#[test]
fn of_two_last_minutes_neither_counts() {
    let bars =
        |ohlc| MarketFullFeed { market_ohlc: Some(MarketOhlc { ohlc }), ..Default::default() };
    let (first, second) = (1_780_286_400_000, 1_780_286_460_000);
    let two = bars(vec![minute_bar(first, [1.0; 4]), minute_bar(second, [1.0; 4])]);
    let one = bars(vec![minute_bar(first, [1.0; 4])]);
    let none = bars(vec![minute_bar(0, [0.0; 4])]);
    let message = message([("A", market(two)), ("B", market(one)), ("C", market(none))]);
    let frame = decode(&message.encode_to_vec()).unwrap();
    let read: Vec<bool> = frame.quotes.iter().map(|quote| quote.minute.is_some()).collect();
    assert_eq!(read, [false, true, false]);
    assert_eq!(frame.refused.len(), 1, "a bar of zeros is no bar: {:?}", frame.refused);
}

#[test]
fn fields_and_numbers_of_a_later_feed_are_skipped() {
    let mut message = bytes(LIVE);
    // Field 99 of the message, with four bytes that mean nothing to us; then type = 77.
    message.extend([0x9A, 0x06, 4, 0xDE, 0xAD, 0xBE, 0xEF, 0x08, 77]);
    let (frame, known) = (decode(&message).unwrap(), read(LIVE));
    assert_eq!(frame.kind, FrameKind::Unknown(77));
    assert_eq!(frame.quotes, known.quotes);
    let mut message = FeedResponse { r#type: 2, ..FeedResponse::default() };
    let status = [("MCX_FO".to_owned(), 0), ("NSE_EQ".to_owned(), 9)].into();
    message.market_info = Some(proto::MarketInfo { segment_status: status, ..Default::default() });
    let phases = decode(&message.encode_to_vec()).unwrap().phases;
    let words: Vec<&str> = phases.iter().map(|phase| phase.status.as_str()).collect();
    assert_eq!(words, ["PRE_OPEN_START", "STATUS_9"]);
}

#[test]
fn what_is_no_message_is_an_error() {
    let whole = bytes(LIVE);
    for cut in [1, 3, 40, whole.len() - 1] {
        assert!(matches!(decode(&whole[..cut]), Err(FrameError::Broken { .. })), "{cut}");
    }
    let long = vec![0; MESSAGE_MAX + 1];
    assert_eq!(decode(&long), Err(FrameError::TooLong { bytes: MESSAGE_MAX + 1 }));
    assert_eq!(decode(b""), Ok(empty(FrameKind::Snapshot)), "every default, as proto3 has it");
}

/// Groups inside groups would recurse without an end.
#[test]
fn a_message_that_nests_without_end_is_refused() {
    // Start-group tags of field 99: what is unknown is skipped, but not for ever deep.
    let deep = [0x9B, 0x06].repeat(100_000);
    assert!(matches!(decode(&deep), Err(FrameError::Broken { .. })));
}

proptest! {
    /// Whatever comes in: no panic, and what comes out is in range.
    #[test]
    fn nothing_absurd_gets_through(
        ltp in any::<f64>(), ltt in any::<i64>(), ltq in any::<i64>(), vtt in any::<i64>(),
        ohlc in any::<[f64; 4]>(), ts in any::<i64>(), current_ts in any::<i64>(),
    ) {
        let market_ohlc = Some(MarketOhlc { ohlc: vec![minute_bar(ts, ohlc)] });
        let ltpc = Some(Ltpc { ltp, ltt, ltq, ..Ltpc::default() });
        let feed = MarketFullFeed { ltpc, vtt, market_ohlc, iep: ltp, ..Default::default() };
        let message = FeedResponse { current_ts, ..message([("A", market(feed))]) };
        let frame = decode(&message.encode_to_vec()).unwrap();
        for quote in &frame.quotes {
            if let Some(trade) = quote.trade {
                prop_assert!(trade.price.0 > 0 && trade.quantity.0 >= 0 && trade.time.0 > 0);
            }
            prop_assert!(quote.day_volume.is_none_or(|volume| volume.0 > 0));
            prop_assert!(quote.minute.is_none_or(|minute| minute.low <= minute.high));
        }
    }
}
