//! Goes on with a journal that is still being written: whoever came to its early end may look
//! again.

use super::{End, JournalError, Reader, segment, void_from};

impl Reader {
    /// Looks whether more was committed since the journal's early end was reached; then
    /// [`Reader::next_record`] goes on there. After a seal or an error it does nothing.
    ///
    /// From now on bytes that are no whole batch at the end are taken for one that is being
    /// written. That something was damaged there is only found by a reader that begins anew.
    ///
    /// # Errors
    /// When the folder or the next segment's header cannot be read.
    pub fn look_again(&mut self) -> Result<(), JournalError> {
        if self.failed || !matches!(self.end, Some(End::Unsealed { .. })) {
            return Ok(());
        }
        let log_dir = self.files[0].path.parent().unwrap_or(&self.files[0].path).to_path_buf();
        self.files = segment::list(&*self.disk, &log_dir)?;
        self.void_from = void_from(&*self.disk, self.files.get(self.at + 1))?;
        self.bytes.clear();
        self.follows = true;
        self.end = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;

    use super::*;
    use crate::domain::event::Record;
    use crate::domain::event::{Event, EventId, Input};
    use crate::journal::arbitrary::write;
    use crate::journal::samples::{self, samples};
    use crate::journal::writer::{Setup, Stamp};
    use crate::journal::{Identity, Limits, Writer};

    const LIMITS: Limits = Limits { batch_records: 1, batch_bytes: 400, segment_bytes: 9_000 };

    fn records() -> Vec<Record> {
        let inputs = samples().into_iter().filter_map(|(_, event)| match event {
            Event::Input(Input::RunStarted(_) | Input::RunEnded(_)) | Event::Output(_) => None,
            Event::Input(_) => Some(event),
        });
        let started = Event::Input(Input::RunStarted(Box::new(samples::run())));
        let inputs: Vec<Event> = inputs.collect();
        let many = inputs.iter().cycle().take(200).cloned();
        let records = std::iter::once(started).chain(many).zip(0..);
        let record =
            |(event, seq)| Record { id: EventId::input(seq), cause: 0, received_ns: 0, event };
        records.map(record).collect()
    }

    fn rest(reader: &mut Reader) -> Vec<Record> {
        let mut records = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            records.push(record);
        }
        records
    }

    #[test]
    fn a_reader_follows_the_writer_over_segments_to_the_seal() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::of_replay(&samples::run()).unwrap();
        let live = Setup { limits: LIMITS, ..Setup::durable(dir.path(), identity, Stamp::default) };
        let mut writer = Writer::begin(&live).unwrap();
        let records = records();
        let mut seen = Vec::new();
        let mut reader: Option<Reader> = None;
        for record in &records {
            write(&mut writer, record).unwrap();
            writer.settle(true).unwrap();
            match &mut reader {
                Some(reader) => reader.look_again().unwrap(),
                None => reader = Reader::open(dir.path()).ok(),
            }
            seen.extend(reader.iter_mut().flat_map(rest));
        }
        writer.seal().unwrap();
        let mut reader = reader.expect("the journal was there");
        reader.look_again().unwrap();
        seen.extend(rest(&mut reader));
        assert!(reader.segments().len() > 2, "{}", reader.segments().len());
        assert!(matches!(reader.end(), Some(End::Sealed(_))));
        assert_eq!(seen, records);
    }

    /// The journal up to that many bytes of its only file, as if the rest were not written yet.
    fn copy(from: &Path, to: &Path, bytes: usize) {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let all = fs::read(entry.path()).unwrap();
            fs::write(to.join(entry.file_name()), &all[..all.len().min(bytes)]).unwrap();
        }
    }

    #[test]
    fn half_a_batch_is_waited_for_and_told_once() {
        let (dir, half) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let identity = Identity::of_replay(&samples::run()).unwrap();
        let limits = Limits { segment_bytes: 1_000_000, ..LIMITS };
        let mut writer = Writer::create_with(dir.path(), identity, limits).unwrap();
        let records: Vec<Record> = records().into_iter().take(12).collect();
        records.iter().for_each(|record| write(&mut writer, record).unwrap());
        writer.seal().unwrap();
        let log = dir.path().join("log");
        let files = segment::list(&crate::journal::Files, &log).unwrap();
        let len = File::open(&files[0].path).unwrap().metadata().unwrap().len() as usize;
        copy(&log, half.path(), 4_096);
        let mut reader = Reader::open(half.path()).unwrap();
        let mut seen = rest(&mut reader);
        for bytes in (4_096..=len).step_by(40).chain([len]) {
            copy(&log, half.path(), bytes);
            reader.look_again().unwrap();
            seen.extend(rest(&mut reader));
        }
        assert_eq!(seen, records);
        assert!(matches!(reader.end(), Some(End::Sealed(_))));
    }
}
