//! Bugs of the feed's judgement: each would lose a trade in silence, or close a minute too early.

use super::bugs::{Bug, Judge};

const MINUTES: &str = "src/sources/feed/minutes.rs";
const TRADES: &str = "src/sources/feed/trades.rs";
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
    bug(
        "untold-end",
        "the last trade of a day may be lost",
        MINUTES,
        "                self.tell_untold_end(place, mark, told);\n",
        "",
    ),
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
    bug(
        "day-not-held",
        "a day is over before the archive has answered",
        MINUTES,
        "            && now.0 < mark.0 + lateness_us + SESSION_HOLD_US\n",
        "            && now.0 < mark.0 + lateness_us\n",
    ),
];
