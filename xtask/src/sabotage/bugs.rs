//! The bugs: small changes of the sources, each of which would lose, invent or hide something.

/// Who has to find a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// The crash simulation.
    Seeds,
    /// Its pairs of stops.
    Stops,
    /// A trial of the crash target.
    Trial(&'static str),
    /// Days of the calendar in every weather.
    Feed,
    /// A day of the calendar, lived as its name says.
    Day(&'static str),
    /// The unit tests whose names contain this.
    Test(&'static str),
    /// The integration tests whose names contain this.
    Story(&'static str),
}

/// A bug.
pub struct Bug {
    pub name: &'static str,
    /// What goes wrong, in words.
    pub what: &'static str,
    /// The file it is in.
    pub file: &'static str,
    /// What stands there, exactly once, and what stands there with the bug.
    pub find: &'static str,
    pub replace: &'static str,
    /// Who finds it; one after the other is asked.
    pub judges: &'static [Judge],
}

const SEEDS: &[Judge] = &[Judge::Seeds];
const TESTS: &[Judge] = &[Judge::Test("journal::")];

const RUN: &str = "src/driver/run.rs";
const WRITER: &str = "src/journal/writer.rs";
const LOG: &str = "src/journal/log.rs";
const MARK: &str = "src/journal/mark.rs";
const RESERVE: &str = "src/journal/reserve.rs";
const RECOVER: &str = "src/journal/recover.rs";
const READER: &str = "src/journal/reader.rs";
const ENDING: &str = "src/journal/reader/ending.rs";
const SEGMENT: &str = "src/journal/segment.rs";
const FRAME: &str = "src/journal/frame.rs";
const PACKED: &str = "src/journal/codec/packed.rs";
const STEPS: &str = "src/domain/steps.rs";
const DISK: &str = "src/journal/disk.rs";

/// Where a batch comes to the disk.
const BATCH_SYNC: &str = "        \
     file.sync().map_err(|source| io(\"syncing\", &self.path, source))?;\n        \
     marks.write";

/// A bug that the simulation has to find.
const fn bug(
    name: &'static str,
    what: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
) -> Bug {
    Bug { name, what, file, find, replace, judges: SEEDS }
}

/// A bug that needs two things to go wrong at once, or bytes that no accident makes: unit tests
/// have to find it.
const fn for_tests(
    name: &'static str,
    what: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
) -> Bug {
    Bug { judges: TESTS, ..bug(name, what, file, find, replace) }
}

/// Bugs of the journal, in the order of a record's way to the disk and back.
pub const BUGS: &[Bug] = &[
    Bug {
        judges: &[Judge::Trial("what_the_world_was_told")],
        ..bug(
            "publish-before-settle",
            "the world is told of steps that are not kept yet",
            RUN,
            "        if is_kept {\n            self.held.drain",
            "        if is_kept || !self.held.is_empty() {\n            self.held.drain",
        )
    },
    bug(
        "acknowledge-early",
        "a step that waits for company is called kept",
        WRITER,
        "PersistMode::Durable => Ok(false),",
        "PersistMode::Durable => Ok(true),",
    ),
    bug(
        "urgent-waits",
        "an urgent step waits for company like any other",
        WRITER,
        "PersistMode::Durable if urgent || self.batch_is_full() => {",
        "PersistMode::Durable if self.batch_is_full() => {",
    ),
    bug(
        "skip-batch-sync",
        "a batch is written and not synced",
        LOG,
        BATCH_SYNC,
        "        marks.write",
    ),
    bug(
        "sync-every-second-batch",
        "two batches are under way at once",
        LOG,
        BATCH_SYNC,
        "        if self.batches % 2 == 0 {\n            \
         file.sync().map_err(|source| io(\"syncing\", &self.path, source))?;\n        }\n        \
         marks.write",
    ),
    bug(
        "mark-before-sync",
        "the mark moves before the batch is on the disk",
        LOG,
        "        file.sync().map_err(|source| io(\"syncing\", &self.path, source))?;\n        \
         marks.write(&mark, urgent)?;",
        "        marks.write(&mark, urgent)?;\n        \
         file.sync().map_err(|source| io(\"syncing\", &self.path, source))?;",
    ),
    bug(
        "retry-failed-sync",
        "a sync that failed is asked again, and the system has forgotten",
        LOG,
        BATCH_SYNC,
        "        file.sync().or_else(|_| file.sync())\
         .map_err(|source| io(\"syncing\", &self.path, source))?;\n        marks.write",
    ),
    bug(
        "swallow-failed-sync",
        "a sync that failed is taken for one that did not",
        LOG,
        BATCH_SYNC,
        "        drop(file.sync());\n        marks.write",
    ),
    bug(
        "publish-unsynced-segment",
        "a segment gets its name before its header is on the disk",
        LOG,
        "        file.sync().map_err(|source| io(\"syncing\", &self.path, source))?;\n        \
         durable",
        "        durable",
    ),
    bug(
        "seal-unsynced",
        "the end of the run is written and not synced",
        LOG,
        "        self.promise(so_far, true)?;\n        self.file = None;",
        "        self.file = None;",
    ),
    bug(
        "skip-run-dir-sync",
        "the run's own directories may be gone with everything in them",
        LOG,
        ".ancestors().take(2)",
        ".ancestors().take(1)",
    ),
    bug(
        "skip-segment-dir-sync",
        "a segment may lose its name",
        RESERVE,
        "        self.disk.sync_dir(&self.dir)\
         .map_err(|source| io(\"syncing\", &self.dir, source))",
        "        Ok(())",
    ),
    Bug {
        judges: &[Judge::Trial("sweep")],
        ..bug(
            "reserve-forgets-failure",
            "a reserve whose sync failed is given out as whole",
            RESERVE,
            "if self.bytes == self.bytes_wanted && self.medium.is_some() {",
            "if self.bytes == self.bytes_wanted {",
        )
    },
    bug(
        "skip-mark-dir-sync",
        "a new mark may lose its name",
        MARK,
        "        disk.sync_dir(log_dir).map_err(|source| io(\"syncing\", log_dir, source))?;\n",
        "",
    ),
    bug(
        "mark-renamed-unsynced",
        "a new mark gets its name before it is on the disk",
        MARK,
        "        medium.sync().map_err(failed(\"syncing\"))?;\n",
        "",
    ),
    bug(
        "mark-slot-alternates-early",
        "both slots of the mark are written without a sync in between",
        MARK,
        "            self.slot ^= 1;\n        }\n",
        "        }\n        self.slot ^= 1;\n",
    ),
    bug(
        "mark-urgent-unsynced",
        "the mark of an urgent step is not synced",
        MARK,
        "if now || self.unsynced >= UNSYNCED_MAX {",
        "if self.unsynced >= UNSYNCED_MAX {",
    ),
    bug(
        "ignore-short-write",
        "a write that did only part of its work counts as done",
        DISK,
        "                bytes = &bytes[written..];\n                offset += written as u64;\n",
        "                let _ = (written, &mut offset);\n                bytes = &[];\n",
    ),
    bug(
        "interruption-is-fatal",
        "an interrupted write is not tried again, and not reported",
        DISK,
        "            Err(error) if error.kind() == ErrorKind::Interrupted => {}\n            \
         Err(error) => return Err(error),\n        }\n    }\n    Ok(())",
        "            \
         Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),\n            \
         Err(error) => return Err(error),\n        }\n    }\n    Ok(())",
    ),
    bug(
        "swallow-disk-full",
        "a write that found no room counts as done",
        DISK,
        "            Ok(0) => return Err(ErrorKind::WriteZero.into()),\n",
        "            Ok(0) => return Err(ErrorKind::WriteZero.into()),\n            \
         Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),\n",
    ),
    bug(
        "tail-not-rewritten",
        "what stands behind the mark is believed to be on the disk",
        RECOVER,
        "if now.segments < last || now.batches <= promised {",
        "if now.segments <= last || now.batches <= promised {",
    ),
    Bug {
        judges: &[Judge::Stops],
        ..bug(
            "names-not-synced",
            "a segment is added to names that may be a memory",
            RECOVER,
            "    disk.sync_dir(&findings.log_dir)\
         .map_err(|source| io(\"syncing\", &findings.log_dir, source))?;\n",
            "",
        )
    },
    bug(
        "resumes-at-batch-start",
        "a segment takes over one batch too early",
        READER,
        "            resumes_at: self.offset + self.batch_end as u64,\n",
        "            resumes_at: self.offset,\n",
    ),
    bug(
        "resumed-batches-off-by-one",
        "batches are counted from one too many after a recovery",
        LOG,
        "            batches: place.batches,\n",
        "            batches: place.batches + u64::from(place.segments > 0),\n",
    ),
    bug(
        "resumed-numbers-from-zero",
        "the first batch after a recovery begins at the wrong input",
        WRITER,
        "        writer.batch.restart(numbering.next_seq());\n",
        "        writer.batch.restart(0);\n",
    ),
    bug(
        "repair-in-place",
        "the torn tail is cleared in the file that another process has left",
        RECOVER,
        "    let write = || -> std::io::Result<()> {\n",
        "    if let Ok(old) = disk.open(&torn.path, true) {\n        \
         let _ = write_all(&*old, &vec![0; bytes.len()], torn.offset);\n    }\n    \
         let write = || -> std::io::Result<()> {\n",
    ),
    bug(
        "leftovers-stay",
        "unfinished files are not removed, and stand in the way",
        RECOVER,
        "        disk.remove(path).map_err(|source| io(\"removing\", path, source))?;\n",
        "        let _ = (disk, path);\n",
    ),
    bug(
        "ignore-mark",
        "less than the mark speaks of is called an early end",
        ENDING,
        "Some(mark) if mark.batches > self.batches => Err(JournalError::Lost {",
        "Some(mark) if mark.batches > u64::MAX - 1 => Err(JournalError::Lost {",
    ),
    bug(
        "damage-is-torn",
        "bad bytes before a good commit are called an early end",
        ENDING,
        "        if ahead.proof {\n",
        "        if ahead.proof && ahead.nonzero_to == 0 {\n",
    ),
    bug(
        "torn-is-damage",
        "an early end is called damage",
        ENDING,
        "        if ahead.proof {\n",
        "        if ahead.proof || ahead.nonzero_to > 0 {\n",
    ),
    bug(
        "batch-without-commit",
        "records are believed without the commit of their batch",
        READER,
        "                Err(damage) => return self.stop(place, damage),\n",
        "                Err(_) if batch.records > 0 => {\n                    \
         (self.records_end, self.batch_end) = (place, place);\n                    \
         return Ok(());\n                }\n                \
         Err(damage) => return self.stop(place, damage),\n",
    ),
    bug(
        "void-is-read",
        "what a recovery has declared void is read all the same",
        READER,
        "            Some(end) if self.offset == end => return self.open_next(),\n",
        "",
    ),
    bug(
        "unreadable-is-no-header",
        "a header that cannot be read just now counts as none",
        READER,
        "        Err(error @ JournalError::Io { .. }) => Err(error),\n",
        "",
    ),
    for_tests(
        "penultimate-unchecked",
        "damage in the segment before the last is called an early end",
        ENDING,
        "        if self.at + 1 < self.files.len() {\n            return Err(error);",
        "        if self.at + 2 < self.files.len() {\n            return Err(error);",
    ),
    for_tests(
        "digest-unchecked",
        "a commit's digest is not compared",
        READER,
        "            Some(commit) if commit.digest != self.digest() => \"its digest differs\",\n",
        "",
    ),
    Bug {
        judges: &[Judge::Trial("a_forged")],
        ..bug(
            "commit-start-unchecked",
            "a commit may stand anywhere",
            READER,
            "            \
         Some(commit) if commit.start != self.offset => \"the batch begins elsewhere\",\n",
            "",
        )
    },
    Bug {
        judges: &[Judge::Trial("a_forged")],
        ..bug(
            "history-unchecked",
            "a segment may follow another history",
            READER,
            "        } else if header.previous != self.digest() {\n            \
         \"the digest of what came before differs\"\n",
            "",
        )
    },
    for_tests(
        "unsalted-checksum",
        "bytes of another segment pass",
        FRAME,
        "    crc32c::crc32c(&salt.to_le_bytes())",
        "    crc32c::crc32c(&(salt & 0).to_le_bytes())",
    ),
    for_tests(
        "address-cut-short",
        "inputs behind the sixteen millionth are counted from 0 again",
        FRAME,
        "first_seq.wrapping_add((self.seq.wrapping_sub(first_seq as u32) & SEQ_MAX) as u64)",
        "first_seq - first_seq + self.seq as u64",
    ),
    for_tests(
        "packed-though-too-large",
        "a minute with more shares than 32 bits can count loses the rest",
        PACKED,
        "(open.0 | volume.0) >> 32",
        "open.0 >> 32",
    ),
    for_tests(
        "packed-between-steps",
        "a price that is no whole paisa is moved to the next one below",
        STEPS,
        "i64::from(steps >> 16 | (steps.wrapping_mul(STEP) ^ way as u32))",
        "i64::from(steps >> 16)",
    ),
    for_tests(
        "header-checksum-unchecked",
        "a segment's header is believed as it is",
        SEGMENT,
        "if crc32c::crc32c(&block[..CRC_AT]) != u32::from_le_bytes(array(block, CRC_AT)) {",
        "if block[CRC_AT..].is_empty() {",
    ),
    for_tests(
        "mark-checksum-unchecked",
        "a slot of the mark is believed as it is",
        MARK,
        "            && crc32c::crc32c(&slot[8..]) == u32::from_le_bytes(array(slot, 4))\n",
        "",
    ),
];
