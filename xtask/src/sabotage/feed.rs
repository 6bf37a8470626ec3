//! Bugs of the feed's judgement: each would lose a trade in silence, close a minute too early, or
//! take a lie for the market's time.

use super::bugs::{Bug, Judge};

const MINUTES: &str = "src/sources/feed/minutes.rs";
const TRADES: &str = "src/sources/feed/trades.rs";
const CLOCK: &str = "src/sources/feed/clock.rs";
const FEED: &str = "src/sources/feed/mod.rs";
const LANE: &str = "src/sources/feed/lane.rs";

/// A bug that days on a bad line have to find.
const fn bug(
    name: &'static str,
    what: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
) -> Bug {
    Bug { name, what, file, find, replace, judges: &[Judge::Feed] }
}

/// All of them.
pub const BUGS: &[Bug] = &[
    bug(
        "no-lateness",
        "minutes close before what is on its way has come",
        MINUTES,
        "heard.plus_us(-lateness_us)",
        "heard.plus_us(-lateness_us / 1_000)",
    ),
    // Bad weather hardly ever takes the feed's last word of the day and the last trade with it.
    Bug {
        name: "untold-end",
        what: "the last trade of a day may be lost",
        file: MINUTES,
        find: "                self.tell_untold_end(place, mark, told);\n",
        replace: "",
        judges: &[Judge::Day("the_end_of_a_day_that_was_lost_is_looked_up")],
    },
    bug(
        "gap-kept-quiet",
        "what was missed is looked up, and the run is not told",
        TRADES,
        "            told.inputs.push(Input::Gap(gap));\n",
        "",
    ),
    bug(
        "gap-from-now",
        "what was missed is looked for behind the trade that showed it",
        LANE,
        "missed.push((self.chain.0, tick.time.plus_us(1)));",
        "missed.push((tick.time, tick.time.plus_us(1)));",
    ),
    Bug {
        name: "heard-is-told",
        what: "what was traded while a message was on its way counts as heard",
        file: FEED,
        find: "            lane.whole_until = lane.whole_until.max(said);\n",
        replace: "            lane.whole_until = lane.whole_until.max(now);\n",
        judges: &[Judge::Day("what_is_lost_with_the_line_right_at_the_close_is_looked_up")],
    },
    Bug {
        name: "first-is-right",
        what: "the first message sets the market's clock",
        file: CLOCK,
        find: "if self.state == State::Unheard {\n            (self",
        replace: "if self.state != State::Agreed && self.back.count == 0 {\n            (self",
        judges: &[Judge::Day("a_first_message_from_another_time_is_put_aside")],
    },
    Bug {
        name: "clock-never-back",
        what: "a clock that is ahead of everybody stays so",
        file: CLOCK,
        find: "match self.offset_us - most_us > lead_us {",
        replace: "match self.offset_us - most_us > lead_us && count == 0 {",
        judges: &[Judge::Test("feed::clock")],
    },
    Bug {
        name: "lies-close-minutes",
        what: "minutes close by a time that no trade vouches for",
        file: MINUTES,
        find: "if !self.clock.is_settled(!self.link.is_up()) {",
        replace: "if false {",
        judges: &[Judge::Day("what_the_first_minutes_had_wrong_closes_nothing")],
    },
    Bug {
        name: "day-not-held",
        what: "a day is over before the archive has answered",
        file: MINUTES,
        find: "            && now.0 < mark.0 + lateness_us + SESSION_HOLD_US\n",
        replace: "            && now.0 < mark.0 + lateness_us\n",
        judges: &[Judge::Day("the_end_of_a_day_that_was_lost_is_looked_up")],
    },
];
