//! The tables and their columns. The first columns of a table are its key: a row that comes again
//! with the same key takes the place of the one before.
//!
//! Prices and money are doubles in rupees. Every price of one fill or bar is a multiple of 1/10,000
//! rupee and so is every amount, and the double is the nearest one, so `round(x, 4)` gives the
//! exact decimal back. Averages of several fills need not be such multiples; theirs is the nearest
//! double. Times are TIMESTAMP without a zone and show the wall clock of India, as the Python
//! system's tables do; columns that end in `_utc` show UTC.

/// Changes when a table or column does, so that no file is taken for another.
pub const SCHEMA_VERSION: i64 = 1;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Yes or no.
    Flag,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// A wall clock's time.
    Time,
    /// A word.
    Text,
}

impl ColumnKind {
    /// The type in SQL.
    pub const fn sql(self) -> &'static str {
        match self {
            ColumnKind::Flag => "BOOLEAN",
            ColumnKind::Int => "BIGINT",
            ColumnKind::Double => "DOUBLE",
            ColumnKind::Time => "TIMESTAMP",
            ColumnKind::Text => "VARCHAR",
        }
    }
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// What it means.
    pub about: &'static str,
}

/// One table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableId {
    /// What the strategy makes of each instrument now.
    RunnerState,
    /// What the strategy wanted.
    Signals,
    /// Round trips, from flat to flat.
    Trades,
    /// What was to be bought or sold.
    Orders,
    /// What was executed.
    Fills,
    /// Minutes and strategy bars.
    Candles,
    /// Signals and orders that were refused.
    Rejections,
    /// Bars and trades of the feed that were refused, counted.
    Refused,
    /// What happened at the feed: up, down, gaps, jumps of the clock.
    Notices,
}

impl TableId {
    /// All tables, in the order in which they are shown and hashed.
    pub const ALL: [TableId; 9] = [
        TableId::RunnerState,
        TableId::Signals,
        TableId::Trades,
        TableId::Orders,
        TableId::Fills,
        TableId::Candles,
        TableId::Rejections,
        TableId::Refused,
        TableId::Notices,
    ];

    /// Its name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            TableId::RunnerState => "runner_state",
            TableId::Signals => "signals",
            TableId::Trades => "trades",
            TableId::Orders => "orders",
            TableId::Fills => "fills",
            TableId::Candles => "candles",
            TableId::Rejections => "rejections",
            TableId::Refused => "refused",
            TableId::Notices => "notices",
        }
    }

    /// What it holds, and what makes a row of it.
    pub const fn about(self) -> &'static str {
        match self {
            TableId::RunnerState => "what the strategy makes of each instrument now, one row each",
            TableId::Signals => "every signal, and whether it was taken or why it was declined",
            TableId::Trades => "round trips from flat to flat, with profit, fees and exit reason",
            TableId::Orders => "every order, and whether it was filled or withdrawn",
            TableId::Fills => "every execution, with price and charges",
            TableId::Candles => "minutes (1m) and strategy bars (15m), and where each is from",
            TableId::Rejections => "signals and orders that were refused, and why",
            TableId::Refused => "bars and trades of the feed that were refused, counted by reason",
            TableId::Notices => "what happened at the feed: up, down, gaps, jumps of the clock",
        }
    }

    /// Its columns.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            TableId::RunnerState => RUNNER_STATE,
            TableId::Signals => SIGNALS,
            TableId::Trades => TRADES,
            TableId::Orders => ORDERS,
            TableId::Fills => FILLS,
            TableId::Candles => CANDLES,
            TableId::Rejections => REJECTIONS,
            TableId::Refused => REFUSED,
            TableId::Notices => NOTICES,
        }
    }

    /// How many of these are the key.
    pub const fn key(self) -> usize {
        match self {
            TableId::Candles => 3,
            TableId::RunnerState | TableId::Rejections | TableId::Refused => 2,
            TableId::Signals
            | TableId::Trades
            | TableId::Orders
            | TableId::Fills
            | TableId::Notices => 1,
        }
    }
}

const fn flag(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: ColumnKind::Flag, about }
}

const fn int(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: ColumnKind::Int, about }
}

const fn double(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: ColumnKind::Double, about }
}

const fn time(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: ColumnKind::Time, about }
}

const fn text(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: ColumnKind::Text, about }
}

const SYMBOL: Column = text("symbol", "instrument key, such as NSE_EQ|INE155A01022");
const TRADING_SYMBOL: Column = text("trading_symbol", "the exchange's symbol on that day");
const STRATEGY_ID: Column = text("strategy_id", "the strategy");
const SIGNAL_ID: Column = text("signal_id", "the signal that it goes back to");

const RUNNER_STATE: &[Column] = &[
    SYMBOL,
    STRATEGY_ID,
    text("timeframe", "width of a strategy bar, such as 15m"),
    text("current_bias", "BUY or SELL of the newest bar's signal, NEUTRAL without one"),
    text("signal_state", "TRIGGERED (for one bar), IN_POSITION, COOLDOWN or PENDING"),
    double("confidence", "0.5 with a signal, as in the Python system; 0 without one"),
    time("last_bar_ts", "start of the newest strategy bar, IST"),
    text("status", "WARMUP, RUNNING, PAUSED, HALTED (for the day), KILLED or ENDED"),
    time("updated_at", "event time of the last change, IST"),
    time("updated_at_utc", "the same, UTC"),
    TRADING_SYMBOL,
    int("position", "shares held; negative for a short position"),
];

const SIGNALS: &[Column] = &[
    text("signal_id", "hash of key, strategy, bar, side and type"),
    STRATEGY_ID,
    SYMBOL,
    text("signal_type", "BUY or SELL"),
    text("event_type", "TREND or REVERSION"),
    double("confidence", "0.5, as in the Python system"),
    time("bar_ts", "start of the bar that made the signal, IST"),
    text("status", "TAKEN (an entry order was made), DECLINED, or PENDING"),
    text("decline_reason", "why it was declined, or its order withdrawn"),
    double("price", "the bar's close, rupees"),
    int("quantity", "shares"),
    double("stop", "where the position is given up, rupees"),
    double("target", "where the profit is taken, rupees"),
    double("atr", "average true range at the bar, rupees"),
    time("created_at", "when the bar and so the signal was known, IST"),
    time("created_at_utc", "the same, UTC"),
    TRADING_SYMBOL,
    int("seq", "number of the input in the journal"),
    int("idx", "place among the outputs of that input"),
];

const TRADES: &[Column] = &[
    text("trade_id", "address of the first fill in the journal, seq.idx"),
    text("signal_id", "the signal that opened it"),
    STRATEGY_ID,
    SYMBOL,
    text("side", "BUY for a long position, SELL for a short one"),
    time("entry_time", "first fill, IST"),
    time("exit_time", "the fill that made it flat, IST"),
    double("entry_price", "average of the fills that opened it, rupees"),
    double("exit_price", "average of the fills that closed it, rupees"),
    int("quantity", "shares that were opened in all"),
    double("pnl", "profit before fees, rupees"),
    double("fees", "charges so far, rupees"),
    double("net", "pnl less fees, rupees"),
    text("exit_reason", "why it ended: stop, target, time-stop, session-end, opposite-signal, .."),
    text("status", "OPEN or CLOSED"),
    time("entry_time_utc", "entry_time, UTC"),
    time("exit_time_utc", "exit_time, UTC"),
    TRADING_SYMBOL,
];

const ORDERS: &[Column] = &[
    text("order_id", "address in the journal, seq.idx"),
    SIGNAL_ID,
    STRATEGY_ID,
    SYMBOL,
    text("side", "BUY or SELL"),
    int("quantity", "shares"),
    text("reason", "why: entry, stop, target, time-stop, session-end, daily-loss, command"),
    text("status", "OPEN, FILLED or WITHDRAWN"),
    time("created_at", "from when on it may be filled, IST"),
    TRADING_SYMBOL,
];

const FILLS: &[Column] = &[
    text("fill_id", "address in the journal, seq.idx"),
    text("order_id", "address of the order"),
    SIGNAL_ID,
    STRATEGY_ID,
    SYMBOL,
    text("side", "BUY or SELL"),
    int("quantity", "shares"),
    double("price", "rupees, slippage included"),
    double("fee", "charges, rupees"),
    text("reason", "why the order existed"),
    time("timestamp", "when, IST"),
    time("timestamp_utc", "when, UTC"),
    TRADING_SYMBOL,
];

const CANDLES: &[Column] = &[
    SYMBOL,
    text("timeframe", "1m, or the width of a strategy bar, such as 15m"),
    time("timestamp", "start, IST"),
    double("open", "first price, rupees"),
    double("high", "highest price, rupees"),
    double("low", "lowest price, rupees"),
    double("close", "last price, rupees"),
    int("volume", "shares traded"),
    flag("is_complete", "whether every minute of it was there"),
    text("source", "bar, tick, backfill-store, -intraday or -historical; 15m: minutes or revised"),
];

const REJECTIONS: &[Column] = &[
    int("seq", "number of the input in the journal"),
    int("idx", "place among the outputs of that input"),
    SYMBOL,
    text("subject", "signal or order"),
    text("reason", "why"),
    time("timestamp", "time of what was refused, IST"),
];

const REFUSED: &[Column] = &[
    SYMBOL,
    text("reason", "why: late, out-of-order, duplicate, outside-session, gap"),
    int("count", "bars, minutes and trades"),
    time("last_timestamp", "time of the last of them, IST"),
];

const NOTICES: &[Column] = &[
    int("seq", "number of the input in the journal"),
    time("timestamp", "when, by the clock of the exchange, IST"),
    text("kind", "feed-up, feed-down, feed-silent, gap, phase, clock-jump, minute-differs, .."),
    text("symbol", "about which instrument; none: all of them"),
    text("detail", "in words"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_has_two_columns_of_one_name() {
        for table in TableId::ALL {
            let columns = table.columns();
            assert!(table.key() < columns.len());
            for (place, column) in columns.iter().enumerate() {
                assert!(columns[..place].iter().all(|other| other.name != column.name));
            }
        }
    }
}
