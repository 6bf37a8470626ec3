//! A disk in memory that does to a journal what real ones may. Everything it does follows from its
//! seed and from the calls, so a run can be had again.
//!
//! The model, where `media` is what outlasts a power cut and `cache` what the living see:
//!
//! - A write goes to the cache. `sync` takes the writes of its file to the media, with the file's
//!   length; `sync_dir` takes the names of its directory (made, renamed, removed) there. A
//!   directory whose own name was not synced takes everything below it along when it goes.
//! - What was not synced meets its fate in a power cut ([`super::fate`]): for each sector of 512
//!   bytes and each name on its own, or all of them in order up to some moment. Nothing is
//!   ordered between sectors, files and names unless a sync orders it. A length may have grown
//!   where the bytes were lost, and the other way round.
//! - Bytes that were synced stay, also in a sector that is written again behind them ("powersafe
//!   overwrite", which SQLite assumes as well). Renaming is atomic.
//! - A sync that fails leaves each of its writes done or not, and forgets all of them: reads still
//!   give what was written, the next sync succeeds, and only the power cut shows what is gone. A
//!   directory whose sync fails is not forgotten: file systems keep names in a log of their own and
//!   write to it again, or not at all any more.
//! - Operations fail or stop short as the [`Plan`] says. A failing rename, removal or sync may have
//!   happened all the same. Space is counted in bytes of files that have a name; to write over
//!   bytes that are there needs none.
//! - Without a power cut, when only the process dies, the cache stays.
//!
//! Not modelled: reads that fail now and succeed later on the same sector, other processes that
//! write to the same files, renaming between directories.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use lockstep::journal::disk::{Disk, Medium};

use super::dice::Dice;
use super::plan::{Fault, Honesty, Plan};
use super::trace::Trace;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Dir,
    /// The file of that number.
    File(usize),
}

/// Bytes that were written and not yet synced.
#[derive(Clone)]
pub struct Write {
    /// When they were written, in operations of all lives.
    pub at: u64,
    pub offset: usize,
    pub bytes: Vec<u8>,
}

/// A file, whether it has a name or not.
#[derive(Clone, Default)]
pub struct Inode {
    /// What a read gives.
    pub cache: Vec<u8>,
    /// What is there after a power cut, whatever its fate.
    pub media: Vec<u8>,
    /// What lies between.
    pub pending: Vec<Write>,
    /// Syncs that were promised and not yet done: how many writes by which operation.
    pub late: Option<(usize, u64)>,
}

/// A change of names that was not yet synced.
#[derive(Clone)]
pub struct Move {
    /// When it was made, in operations of all lives.
    pub at: u64,
    /// The name that goes.
    pub from: Option<String>,
    /// The name that comes, and for what.
    pub to: Option<(String, Node)>,
}

/// Everything there is to a disk.
#[derive(Clone)]
pub struct State {
    pub files: Vec<Inode>,
    /// The names that the living see, and those that outlast a power cut whatever its fate.
    pub live: BTreeMap<String, Node>,
    pub settled: BTreeMap<String, Node>,
    pub moves: Vec<Move>,
    pub dice: Dice,
    pub trace: Trace,
    plan: Plan,
    /// Operations of this life, and of all.
    operations: u64,
    clock: u64,
    /// Those of all that were to change something.
    changes: u64,
    /// Interruptions in a row.
    interrupted: u32,
    syncs: u64,
    /// Whether this life is over.
    stopped: bool,
    capacity: u64,
}

/// A disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

/// What an operation may do.
struct Turn {
    /// Only part of the bytes.
    short: bool,
    /// Be done, but not return.
    last: bool,
}

const EIO: i32 = 5;
/// The directory that is always there.
pub const ROOT: &str = "/runs";

impl SimDisk {
    /// An empty disk of about that many bytes, which does what the dice of the seed say.
    pub fn new(seed: u64, capacity: u64, trace: Trace) -> SimDisk {
        let names = BTreeMap::from([(ROOT.to_owned(), Node::Dir)]);
        SimDisk(Arc::new(Mutex::new(State {
            files: Vec::new(),
            live: names.clone(),
            settled: names,
            moves: Vec::new(),
            dice: Dice::new(seed, 1),
            trace,
            plan: Plan::CALM,
            operations: 0,
            clock: 0,
            changes: 0,
            interrupted: 0,
            syncs: 0,
            stopped: false,
            capacity,
        })))
    }

    /// For whatever is done to the disk from outside.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the disk")
    }

    /// Another disk with the same content, where nothing is yet to be synced and all is calm.
    pub fn copy(&self) -> SimDisk {
        let mut state = self.state().clone();
        state.plan = Plan::CALM;
        state.stopped = false;
        SimDisk(Arc::new(Mutex::new(state)))
    }

    /// The trait object that the journal takes.
    pub fn handle(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// A process starts, and this goes wrong in its life.
    pub fn start(&self, plan: Plan) {
        let mut state = self.state();
        state.plan = plan;
        (state.operations, state.interrupted, state.stopped) = (0, 0, false);
        if plan.honesty == Honesty::Honest {
            state.keep_promises(u64::MAX);
        }
    }

    /// The process is no more: nothing that is still called does anything.
    pub fn kill(&self) {
        self.state().stopped = true;
    }

    /// Whether the plan ended the process.
    pub fn has_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Operations of this life so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Adds so many bytes of room.
    pub fn make_room(&self, bytes: u64) {
        let mut state = self.state();
        state.capacity = state.capacity.saturating_add(bytes);
    }

    /// Operations of all lives that were to change something.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// The files whose names end like that, with a checksum of what the living see of them.
    pub fn fingerprints(&self, end: &str) -> Vec<(String, u32)> {
        let state = self.state();
        let names = state.live.iter().filter(|(name, _)| name.ends_with(end));
        let files = names.filter_map(|(name, node)| match node {
            Node::File(inode) => Some((name.clone(), crc32c::crc32c(&state.files[*inode].cache))),
            Node::Dir => None,
        });
        files.collect()
    }

    /// What was done so far, as one number.
    pub fn trace_hash(&self) -> u64 {
        self.state().trace.hash()
    }
}

impl State {
    /// Starts an operation that `may_be_short` (reads and writes) or `grows` the disk.
    fn enter(&mut self, name: &str, args: [u64; 2], kind: Kind) -> io::Result<Turn> {
        if self.stopped {
            return Err(power_off());
        }
        self.operations += 1;
        self.clock += 1;
        self.changes += u64::from(kind.changes());
        let now = self.operations;
        self.trace.operation(now, name, args);
        self.keep_promises(now);
        let last = self.plan.stop_at == Some(now);
        if last {
            self.stopped = true;
            let done = self.dice.once_in(2);
            self.trace.word(if done { "stopped after it" } else { "stopped before it" });
            return if done { Ok(Turn { short: true, last }) } else { Err(power_off()) };
        }
        let (fault, nuisance) = (self.fault(kind), self.plan.nuisance);
        let fault = fault.or_else(|| {
            let annoyed = nuisance > 0 && kind.moves_bytes() && self.dice.once_in(nuisance);
            annoyed.then(|| self.dice.one_of(&[Fault::Short, Fault::Interrupted]))
        });
        let is_interrupted = fault == Some(Fault::Interrupted) && self.interrupted < 2;
        self.interrupted = if is_interrupted { self.interrupted + 1 } else { 0 };
        match fault {
            Some(Fault::Broken) => self.fail(io::Error::from_raw_os_error(EIO)),
            Some(Fault::Full) => self.fail(ErrorKind::StorageFull.into()),
            Some(Fault::Interrupted) if is_interrupted => self.fail(ErrorKind::Interrupted.into()),
            Some(Fault::Short) => Ok(Turn { short: true, last }),
            Some(Fault::Interrupted) | None => Ok(Turn { short: false, last }),
        }
    }

    /// The planned fault of this operation, if it can have that one.
    fn fault(&self, kind: Kind) -> Option<Fault> {
        let failing = self.plan.failing?;
        let due =
            self.operations == failing.from || failing.for_good && self.operations > failing.from;
        let possible = match failing.fault {
            Fault::Broken => true,
            Fault::Full => kind.grows(),
            Fault::Short | Fault::Interrupted => kind.moves_bytes(),
        };
        (due && possible).then_some(failing.fault)
    }

    fn fail<T>(&mut self, error: io::Error) -> io::Result<T> {
        self.trace.word(&error.to_string());
        Err(error)
    }

    /// Does the late syncs that are due at operation `now`.
    fn keep_promises(&mut self, now: u64) {
        for file in &mut self.files {
            if let Some((writes, due)) = file.late
                && due <= now
            {
                file.settle(writes);
            }
        }
    }

    fn node(&self, path: &str) -> io::Result<Node> {
        self.live.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn file(&self, path: &str) -> io::Result<usize> {
        match self.node(path)? {
            Node::File(inode) => Ok(inode),
            Node::Dir => Err(ErrorKind::IsADirectory.into()),
        }
    }

    fn is_dir(&self, path: &str) -> io::Result<()> {
        match self.node(path)? {
            Node::Dir => Ok(()),
            Node::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// Changes names for the living; the media hear of it later.
    fn rename(&mut self, from: Option<&str>, to: Option<(&str, Node)>) {
        let (from, to) = (from.map(str::to_owned), to.map(|(name, node)| (name.to_owned(), node)));
        let change = Move { at: self.clock, from, to };
        change.apply(&mut self.live);
        self.moves.push(change);
    }

    fn used(&self) -> u64 {
        let bytes = |node: &Node| match node {
            Node::Dir => 0,
            Node::File(inode) => self.files[*inode].cache.len() as u64,
        };
        self.live.values().map(bytes).sum()
    }

    fn write(
        &mut self,
        inode: usize,
        bytes: &[u8],
        offset: usize,
        turn: &Turn,
    ) -> io::Result<usize> {
        let mut len = bytes.len();
        if turn.short && len > 1 {
            len = 1 + self.dice.index(len);
        }
        let room = self.capacity.saturating_sub(self.used()) as usize;
        let grown = (offset + len).saturating_sub(self.files[inode].cache.len());
        if grown > room {
            len = len.saturating_sub(grown - room);
            let nothing_fits = len == 0 || offset > self.files[inode].cache.len() + room;
            if nothing_fits {
                return self.fail(ErrorKind::StorageFull.into());
            }
        }
        let write = Write { at: self.clock, offset, bytes: bytes[..len].to_vec() };
        let file = &mut self.files[inode];
        put(&mut file.cache, offset, &write.bytes);
        file.pending.push(write);
        Ok(len)
    }

    fn sync(&mut self, inode: usize) {
        self.syncs += 1;
        let (now, syncs) = (self.operations, self.syncs);
        let file = &mut self.files[inode];
        let writes = file.pending.len();
        match self.plan.honesty {
            Honesty::Honest => file.settle(writes),
            Honesty::Late(by) => file.late = Some((writes, now + by)),
            Honesty::Lying(every) if syncs.is_multiple_of(every) => {
                self.trace.word("lied");
            }
            Honesty::Lying(_) => file.settle(writes),
        }
    }

    /// A sync failed: each write is done or not, and all are forgotten.
    fn forget(&mut self, inode: usize) {
        let file = &mut self.files[inode];
        for write in std::mem::take(&mut file.pending) {
            if self.dice.once_in(2) {
                put(&mut file.media, write.offset, &write.bytes);
            }
        }
        file.late = None;
    }

    fn sync_dir(&mut self, dir: &str) {
        let (settled, moves) = (&mut self.settled, &mut self.moves);
        moves.retain(|change| {
            let here = change.is_in(dir);
            if here {
                change.apply(settled);
            }
            !here
        });
    }

    /// A sync of a directory failed: each change is on the media or still to be done.
    fn half_sync_dir(&mut self, dir: &str) {
        let (settled, moves, dice) = (&mut self.settled, &mut self.moves, &mut self.dice);
        moves.retain(|change| {
            let happens = change.is_in(dir) && dice.once_in(2);
            if happens {
                change.apply(settled);
            }
            !happens
        });
    }
}

impl Inode {
    /// Takes the first `writes` pending writes to the media.
    fn settle(&mut self, writes: usize) {
        for write in self.pending.drain(..writes) {
            put(&mut self.media, write.offset, &write.bytes);
        }
        self.late = None;
    }
}

impl Move {
    /// Makes the change in a list of names.
    pub fn apply(&self, names: &mut BTreeMap<String, Node>) {
        if let Some(from) = &self.from {
            names.remove(from);
        }
        if let Some((to, node)) = &self.to {
            names.insert(to.clone(), *node);
        }
    }

    fn is_in(&self, dir: &str) -> bool {
        let name = self.from.as_ref().or(self.to.as_ref().map(|(to, _)| to));
        name.is_some_and(|name| parent(name) == dir)
    }
}

/// The kinds of operation, as far as faults tell them apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Look,
    Change,
    Grow,
    Read,
    Write,
}

impl Kind {
    fn moves_bytes(self) -> bool {
        matches!(self, Kind::Read | Kind::Write)
    }

    fn changes(self) -> bool {
        !matches!(self, Kind::Look | Kind::Read)
    }

    fn grows(self) -> bool {
        matches!(self, Kind::Grow | Kind::Write)
    }
}

impl Turn {
    fn done<T>(self, value: T) -> io::Result<T> {
        if self.last { Err(power_off()) } else { Ok(value) }
    }
}

/// Writes bytes at a place, with zeros before it where the file is shorter.
pub fn put(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

/// The directory that a name is in.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

fn power_off() -> io::Error {
    io::Error::other("the power is off")
}

fn text(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| ErrorKind::InvalidFilename.into())
}

impl Disk for SimDisk {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        let (dir, mut state) = (text(dir)?, self.state());
        let turn = state.enter("make_dir", [0, 0], Kind::Grow)?;
        state.trace.word(dir);
        let ends = dir.match_indices('/').map(|(end, _)| end).chain([dir.len()]);
        for end in ends.filter(|end| *end > 0) {
            match state.live.get(&dir[..end]) {
                Some(Node::Dir) => {}
                Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
                None => state.rename(None, Some((&dir[..end], Node::Dir))),
            }
        }
        turn.done(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        let (dir, mut state) = (text(dir)?, self.state());
        let turn = state.enter("list", [0, 0], Kind::Look)?;
        state.trace.word(dir);
        state.is_dir(dir)?;
        let mut files: Vec<_> = state
            .live
            .iter()
            .filter(|(name, _)| parent(name) == dir)
            .filter_map(|(name, node)| match node {
                Node::Dir => None,
                Node::File(inode) => {
                    Some((PathBuf::from(name), state.files[*inode].cache.len() as u64))
                }
            })
            .collect();
        // In any order.
        for last in (1..files.len()).rev() {
            let other = state.dice.index(last + 1);
            files.swap(last, other);
        }
        turn.done(files)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Medium>> {
        let (path, mut state) = (text(path)?, self.state());
        let inode = state.files.len();
        let turn = state.enter("create", [inode as u64, 0], Kind::Grow)?;
        state.trace.word(path);
        if state.live.contains_key(path) {
            return state.fail(ErrorKind::AlreadyExists.into());
        }
        state.is_dir(parent(path))?;
        state.files.push(Inode::default());
        state.rename(None, Some((path, Node::File(inode))));
        turn.done(Box::new(SimFile { disk: self.clone(), inode, writable: true }))
    }

    fn open(&self, path: &Path, writable: bool) -> io::Result<Box<dyn Medium>> {
        let (path, mut state) = (text(path)?, self.state());
        let turn = state.enter("open", [u64::from(writable), 0], Kind::Look)?;
        state.trace.word(path);
        let inode = state.file(path)?;
        turn.done(Box::new(SimFile { disk: self.clone(), inode, writable }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to, mut state) = (text(from)?, text(to)?, self.state());
        assert_eq!(parent(from), parent(to), "renaming between directories is not modelled");
        let entered = state.enter("rename", [0, 0], Kind::Grow);
        state.trace.word(from);
        state.trace.word(to);
        let happens = entered.is_ok() || !state.stopped && state.dice.once_in(2);
        if happens {
            let node = state.node(from)?;
            state.rename(Some(from), Some((to, node)));
        }
        entered?.done(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (path, mut state) = (text(path)?, self.state());
        let entered = state.enter("remove", [0, 0], Kind::Change);
        state.trace.word(path);
        let happens = entered.is_ok() || !state.stopped && state.dice.once_in(2);
        if happens {
            state.file(path)?;
            state.rename(Some(path), None);
        }
        entered?.done(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let (dir, mut state) = (text(dir)?, self.state());
        let entered = state.enter("sync_dir", [0, 0], Kind::Change);
        state.trace.word(dir);
        match &entered {
            Ok(_) => {
                state.is_dir(dir)?;
                state.sync_dir(dir);
            }
            Err(_) if state.stopped => {}
            Err(_) => state.half_sync_dir(dir),
        }
        entered?.done(())
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let (dir, mut state) = (text(dir)?, self.state());
        let turn = state.enter("free_bytes", [0, 0], Kind::Look)?;
        state.is_dir(dir)?;
        turn.done(state.capacity.saturating_sub(state.used()))
    }
}

/// An open file.
struct SimFile {
    disk: SimDisk,
    inode: usize,
    writable: bool,
}

impl Medium for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let turn = state.enter("read", [self.inode as u64, offset], Kind::Read)?;
        let State { files, dice, .. } = &mut *state;
        let cache = &files[self.inode].cache;
        let offset = usize::try_from(offset).map_or(cache.len(), |at| at.min(cache.len()));
        let mut len = buffer.len().min(cache.len() - offset);
        if turn.short && len > 1 {
            len = 1 + dice.index(len);
        }
        buffer[..len].copy_from_slice(&cache[offset..offset + len]);
        turn.done(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        if !self.writable {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let entered = state.enter("write", [self.inode as u64, offset], Kind::Write);
        state.trace.bytes(bytes);
        let offset = usize::try_from(offset).map_err(|_| ErrorKind::FileTooLarge)?;
        match entered {
            Ok(turn) => {
                let len = state.write(self.inode, bytes, offset, &turn)?;
                turn.done(len)
            }
            Err(error) => {
                let is_broken = error.raw_os_error() == Some(EIO);
                if is_broken && !bytes.is_empty() && state.dice.once_in(2) {
                    // Part of it is written, though nobody says so.
                    let _ =
                        state.write(self.inode, bytes, offset, &Turn { short: true, last: true });
                }
                Err(error)
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let entered = state.enter("sync", [self.inode as u64, 0], Kind::Change);
        match &entered {
            Ok(_) => state.sync(self.inode),
            Err(_) if state.stopped => {}
            Err(_) => state.forget(self.inode),
        }
        entered?.done(())
    }
}
