//! The journal as it grows: read to its end, then looked at again and again. What is read here was
//! committed; the writer is never asked and never waits.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use crate::domain::event::Record;
use crate::journal::error::JournalError;
use crate::journal::reader::{End, Reader};

use super::app::App;
use super::model::{Health, Model};

/// How often it is looked whether there is more.
const EVERY: Duration = Duration::from_millis(100);
/// Records that are taken while others wait for the model.
const AT_A_TIME: usize = 2_000;
/// How often in a row a journal has to be unreadable before that is said: a writer may be at the
/// very place.
const PATIENCE: u32 = 5;
/// Once it was said, it is read from its beginning only every so many times.
const SELDOM: u32 = 100;

/// Follows the run's journal until the other end of `ended` is gone.
pub fn follow(app: &App, ended: &Receiver<()>) {
    let mut follower = Follower { reader: None, failures: 0 };
    loop {
        follower.look(app, ended);
        match ended.recv_timeout(EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

struct Follower {
    reader: Option<Reader>,
    failures: u32,
}

impl Follower {
    /// Reads what there is by now.
    fn look(&mut self, app: &App, ended: &Receiver<()>) {
        if app.model().health == Health::Sealed {
            return;
        }
        if self.failures >= PATIENCE && !self.failures.is_multiple_of(SELDOM) {
            self.failures += 1;
            return;
        }
        let result = self.open(app).and_then(|()| self.read(app, ended));
        match result {
            Ok(()) => self.failures = 0,
            Err(error) => self.fail(app, &error),
        }
    }

    /// Opens the journal, or looks again where it ended.
    fn open(&mut self, app: &App) -> Result<(), JournalError> {
        if let Some(reader) = &mut self.reader {
            return reader.look_again();
        }
        let reader = Reader::open(&app.options.run_dir)?;
        let run_id = reader.header().run_id.to_string();
        *app.model_mut() = Model::new(run_id, (app.options.clock)());
        self.reader = Some(reader);
        Ok(())
    }

    fn read(&mut self, app: &App, ended: &Receiver<()>) -> Result<(), JournalError> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        let mut records = Vec::new();
        loop {
            records.clear();
            let read = read_some(reader, &mut records);
            let end = reader.end();
            let mut model = app.model_mut();
            records.iter().for_each(|record| model.take(record));
            if !records.is_empty() {
                model.last_read = (app.options.clock)();
            }
            match end {
                Some(End::Sealed(_)) => model.health = Health::Sealed,
                Some(End::Unsealed { .. }) => model.health = Health::Following,
                None => {}
            }
            app.show(&mut model);
            drop(model);
            read?;
            if end.is_some() || matches!(ended.try_recv(), Err(TryRecvError::Disconnected)) {
                return Ok(());
            }
        }
    }

    /// A journal that cannot be read is read anew from its beginning; only if that goes on is it
    /// said. What was shown before stays to be seen.
    fn fail(&mut self, app: &App, error: &JournalError) {
        self.reader = None;
        if let JournalError::Absent { .. } = error {
            app.model_mut().health = Health::Absent;
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let mut model = app.model_mut();
        if self.failures >= PATIENCE {
            model.health = Health::Broken(error.to_string());
        }
    }
}

/// The next records, as whole batches, so that every position that is shown was committed.
fn read_some(reader: &mut Reader, records: &mut Vec<Record>) -> Result<(), JournalError> {
    while records.len() < AT_A_TIME || !reader.is_between_batches() {
        match reader.next_record()? {
            Some(record) => records.push(record),
            None => break,
        }
    }
    Ok(())
}
