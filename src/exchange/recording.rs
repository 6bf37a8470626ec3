//! A day as a run once heard it, to be played again: the raw messages beside its journal, each with
//! the market time at which it is sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;

use crate::domain::time::Timestamp;
use crate::sources::upstox::proto::FeedResponse;
use crate::sources::upstox::raw::RawFrame;

use super::frames::Sent;

/// So many messages that follow one are asked whether it can be as late as it says.
const WITNESSES: usize = 10;

/// What is played.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The messages in the order in which they came, by market time.
    pub frames: Arc<[Sent]>,
    /// Every instrument in them, ascending.
    pub keys: Vec<String>,
}

impl Recording {
    /// A recording of these messages, not one of which is left out. Each is sent at the time that
    /// it says itself, but never before an earlier one, and never later than those that follow it:
    /// one message with an odd time must not hold up all the others. What says no time is sent with
    /// the message before it.
    pub fn new(raw: Vec<RawFrame>) -> Recording {
        let mut keys = BTreeSet::new();
        let times: Vec<Option<i64>> = raw
            .iter()
            .map(|frame| {
                let response = FeedResponse::decode(&frame.bytes[..]).ok()?;
                keys.extend(response.feeds.into_keys());
                (response.current_ts > 0).then_some(response.current_ts)
            })
            .collect();
        let first = times.iter().flatten().next().copied().unwrap_or_default();
        let mut now = first;
        let frames = raw.into_iter().enumerate().map(|(place, frame)| {
            let following = times[place..].iter().flatten().take(WITNESSES);
            if times[place].is_some() {
                now = now.max(following.min().copied().unwrap_or(now));
            }
            let at = Timestamp(now.saturating_mul(1_000));
            Sent { at, first: at, bytes: Bytes::from(frame.bytes) }
        });
        Recording { frames: frames.collect(), keys: keys.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{BSE, TATA, short};
    use super::super::frames::Frames;
    use super::super::ticker::Mode;
    use super::*;

    fn raw(bytes: &[u8]) -> RawFrame {
        RawFrame { received_ns: 0, bytes: bytes.to_vec() }
    }

    #[test]
    fn what_was_sent_is_sent_again_at_its_time() {
        let market = short();
        let sent: Vec<Sent> =
            Frames::new(&market, [BSE, TATA], Mode::Full, market.start()).collect();
        let recording = Recording::new(sent.iter().map(|it| raw(&it.bytes)).collect());
        assert_eq!(recording.keys, [BSE, TATA]);
        let times = |frames: &[Sent]| -> Vec<(Timestamp, Bytes)> {
            frames.iter().map(|it| (it.at, it.bytes.clone())).collect()
        };
        assert_eq!(times(&recording.frames), times(&sent));
    }

    #[test]
    fn odd_times_and_garbage_hold_nobody_up() {
        let at =
            |current_ts| raw(&FeedResponse { current_ts, ..Default::default() }.encode_to_vec());
        let said = [5_000, 6_000, 3_600_000, 7_000, 6_500, 8_000];
        let mut all: Vec<RawFrame> = said.map(at).into();
        all.insert(3, raw(b"no message"));
        let times: Vec<i64> =
            Recording::new(all).frames.iter().map(|sent| sent.at.0 / 1_000).collect();
        assert_eq!(times, [5_000, 6_000, 6_500, 6_500, 6_500, 6_500, 8_000]);
        assert!(Recording::new(Vec::new()).frames.is_empty());
    }
}
