//! Minutes out of the archive, one call after the other beside the feed. A long time is asked for
//! month by month; the broker is never asked more often than it allows.

use std::collections::VecDeque;
use std::future;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::candles::Candles;
use super::rest::{Rest, RestError, months};
use super::token::TokenSource;
use crate::domain::time::Date;

/// Which minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandleSpan {
    /// Those of today, so far.
    Intraday,
    /// Those of some days before today, both included.
    Historical {
        /// The first day.
        first: Date,
        /// The last day.
        last: Date,
    },
}

/// A wish for minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandleRequest {
    /// Comes back with the answer.
    pub id: u64,
    /// The instrument's key.
    pub key: String,
    /// Which minutes.
    pub what: CandleSpan,
}

/// The answer to a [`CandleRequest`].
#[derive(Debug)]
pub struct CandleReply {
    /// What was asked for.
    pub request: CandleRequest,
    /// All of the minutes, or why there are none.
    pub result: Result<Candles, RestError>,
}

/// What one call asks for: the days of a month, or none for today.
type Step = Option<(Date, Date)>;
type Call = JoinHandle<Result<Candles, RestError>>;

/// The wishes that are waiting and the one that is being answered.
pub(super) struct Fetcher {
    rest: Rest,
    tokens: TokenSource,
    /// Lets a call pass from time to time.
    pace: Interval,
    waiting: VecDeque<CandleRequest>,
    running: Option<Running>,
}

struct Running {
    request: CandleRequest,
    steps: VecDeque<Step>,
    so_far: Candles,
    call: Option<Call>,
}

impl Running {
    fn new(request: CandleRequest) -> Running {
        let steps = match request.what {
            CandleSpan::Intraday => VecDeque::from([None]),
            CandleSpan::Historical { first, last } => {
                months(first, last).into_iter().map(Some).collect()
            }
        };
        Running { request, steps, so_far: Candles::default(), call: None }
    }
}

impl Fetcher {
    /// Calls at most once per `pace`. Has to be made within a runtime.
    pub(super) fn new(rest: Rest, tokens: TokenSource, pace: Duration) -> Fetcher {
        let mut pace = interval(pace);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Fetcher { rest, tokens, pace, waiting: VecDeque::new(), running: None }
    }

    /// Takes a wish in; they are answered in their order.
    pub(super) fn ask(&mut self, request: CandleRequest) {
        self.waiting.push_back(request);
    }

    /// The next answer; waits for ever if there is no wish. May be dropped at any point and
    /// called again: what has begun goes on.
    pub(super) async fn next(&mut self) -> CandleReply {
        loop {
            let Some(running) = &mut self.running else {
                match self.waiting.pop_front() {
                    Some(request) => self.running = Some(Running::new(request)),
                    None => future::pending().await,
                }
                continue;
            };
            let result = match (&mut running.call, running.steps.front().copied()) {
                (Some(call), _) => {
                    let result = call.await;
                    running.call = None;
                    result.unwrap_or_else(|_| Err(RestError::Reply { why: "a bug".to_owned() }))
                }
                (None, Some(step)) => {
                    self.pace.tick().await;
                    running.steps.pop_front();
                    running.call = Some(call(&self.rest, &self.tokens, &running.request.key, step));
                    continue;
                }
                (None, None) => {
                    let so_far = std::mem::take(&mut running.so_far);
                    return self.finish(Ok(so_far));
                }
            };
            match result {
                Ok(candles) => running.so_far.merge(candles),
                Err(error) => return self.finish(Err(error)),
            }
        }
    }

    fn finish(&mut self, result: Result<Candles, RestError>) -> CandleReply {
        let running = self.running.take().expect("an answer belongs to a wish");
        CandleReply { request: running.request, result }
    }
}

/// Calls on a thread that may block.
fn call(rest: &Rest, tokens: &TokenSource, key: &str, step: Step) -> Call {
    let (rest, tokens, key) = (rest.clone(), tokens.clone(), key.to_owned());
    spawn_blocking(move || {
        let token = tokens.read()?;
        match step {
            None => rest.intraday(&token, &key),
            Some(days) => rest.historical(&token, &key, days),
        }
    })
}
