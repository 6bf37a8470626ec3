//! What it costs a run to be watched, in one run of this program: a recorded session is lived again
//! at its pace times 60, durable, with its scanner beside it; quiet stretches and watched ones take
//! turns. Watched means so many clients of the stream in another process, as many that take nothing
//! of it as are asked for, and pages in a real browser. The time that counts is the run's: from its
//! being handed an input until the input and what came of it are on the disk and the world is told.
//!
//! `cargo xtask load` brings the session and the browser. Then: what a state of 2,000 rows takes.

#![expect(clippy::disallowed_methods, reason = "a benchmark is about time")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lockstep::core::Core;
use lockstep::domain::event::{Derived, Event, EventId, Input, RunStarted};
use lockstep::domain::fact::Bar;
use lockstep::domain::instrument::{Instrument, InstrumentId};
use lockstep::domain::money::{Price, Qty};
use lockstep::domain::time::Timestamp;
use lockstep::driver::{DriveError, Source, drive};
use lockstep::journal::writer::Stamp;
use lockstep::journal::{Identity, Reader, Setup, Writer};
use lockstep::sinks::Sink;
use lockstep::web::{Mode, Options, Serving, serve};

type Done<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Done {
    let words: Vec<String> = std::env::args().collect();
    if let [_, role, addr, count, stuck] = &words[..]
        && role == "clients"
    {
        return clients(addr.parse()?, count.parse()?, stuck.parse()?);
    }
    let value = |name: &str| {
        let at = words.windows(2).find(|pair| pair[0] == name);
        at.map(|pair| pair[1].clone())
    };
    let number = |name: &str, default: u64| match value(name) {
        Some(text) => text.parse().map_err(|_| format!("{name} needs a number")),
        None => Ok(default),
    };
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("load");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir)?;
    let rows = usize::try_from(number("--rows", 2_000)?)?;
    let stretch = Duration::from_secs(number("--stretch", 30)?);
    let crowd = Crowd {
        clients: number("--clients", 1_000)?,
        stuck: number("--stuck", 100)?,
        browser: value("--browser"),
        pages: number("--pages", 10)?,
    };
    if let Some(run) = value("--run") {
        let speed = number("--speed", 60)?;
        watched(Path::new(&run), &dir.join("run"), speed, stretch, &crowd)?;
    }
    table(&dir.join("rows"), rows)?;
    let _ = fs::remove_dir_all(&dir);
    Ok(())
}

// --- a session at its pace -----------------------------------------------------------------------

/// Hands over recorded inputs when their time has come.
struct Paced {
    inputs: VecDeque<(Timestamp, Input)>,
    speed: u64,
    begun: Option<(Instant, Timestamp)>,
    watermark: Timestamp,
    handed: Rc<Cell<Begun>>,
    tend: Box<dyn FnMut()>,
}

impl Paced {
    /// When an input is due.
    fn due(&mut self, time: Timestamp) -> Instant {
        let (begun, first) = *self.begun.get_or_insert_with(|| (Instant::now(), time));
        let passed = u64::try_from(time.0 - first.0).unwrap_or(0);
        begun + Duration::from_micros(passed / self.speed)
    }
}

impl Source for Paced {
    type Error = std::convert::Infallible;

    fn next(&mut self, inputs: &mut Vec<Input>) -> Result<(), Self::Error> {
        inputs.clear();
        let before = Instant::now();
        (self.tend)();
        // The market stands while people come and go.
        if let Some((begun, _)) = &mut self.begun {
            *begun += before.elapsed();
        }
        let Some((time, _)) = self.inputs.front() else { return Ok(()) };
        let time = *time;
        let left = self.due(time).saturating_duration_since(Instant::now());
        // Nobody sends: this waits until the time has come, and the run with it.
        let (_sender, nobody) = std::sync::mpsc::channel::<()>();
        let _ = nobody.recv_timeout(left);
        while let Some((next, _)) = self.inputs.front()
            && *next <= time
        {
            let Some((_, input)) = self.inputs.pop_front() else { break };
            if let Input::Watermark(mark) = input {
                self.watermark = mark;
            }
            inputs.push(input);
        }
        self.handed.set(Begun { waited: waited(), at: Instant::now() });
        Ok(())
    }

    fn watermark(&self) -> Timestamp {
        self.watermark
    }

    fn is_quiet(&self) -> bool {
        true
    }
}

/// When an input was handed over, and how long this thread had waited for a core by then.
#[derive(Clone, Copy)]
struct Begun {
    waited: Duration,
    at: Instant,
}

/// How long this thread has been ready to run without a core to run on, as far as the system says.
fn waited() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = stat.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// What an acknowledgement took, and how much of it went by waiting for a core. The rest is the
/// disk's and the run's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Took {
    all: Duration,
    waiting: Duration,
}

impl Took {
    const fn all(&self) -> Duration {
        self.all
    }
}

/// How long after being handed over an input was acknowledged.
struct Acknowledged {
    handed: Rc<Cell<Begun>>,
    took: Rc<RefCell<Vec<Took>>>,
}

impl Sink for Acknowledged {
    fn input(&mut self, _: u64, _: &Input) {}

    fn output(&mut self, _: EventId, _: &Derived) {}

    fn told(&mut self) {
        let Begun { waited: before, at } = self.handed.get();
        let all = at.elapsed();
        self.took.borrow_mut().push(Took { all, waiting: waited().saturating_sub(before) });
    }
}

/// A run's description, what came before its last day, and that day, each input when it is due.
type Lived = (RunStarted, Vec<Input>, VecDeque<(Timestamp, Input)>);

/// The last day of a recorded run, with what came before it.
fn inputs(run: &Path) -> Done<Lived> {
    let mut started = None;
    let mut all: Vec<Input> = Vec::new();
    for record in Reader::open(run)? {
        match record?.event {
            Event::Input(Input::RunStarted(run)) => started = Some(*run),
            Event::Input(Input::RunEnded(_)) | Event::Output(_) => {}
            Event::Input(input) => all.push(input),
        }
    }
    let started = started.ok_or("the run has no beginning")?;
    let mark = |input: &Input| match input {
        Input::Watermark(time) => Some(*time),
        _ => None,
    };
    let last = all.iter().filter_map(mark).max().ok_or("the run has no time")?;
    // An input is due when the run heard of it: no earlier than the watermark before it.
    let (mut now, mut warm, mut day) = (Timestamp(i64::MIN), Vec::new(), VecDeque::new());
    for input in all {
        let time = mark(&input).or(Event::Input(input.clone()).time());
        now = now.max(time.unwrap_or(now).min(last));
        if now.date() < last.date() {
            warm.push(input);
        } else {
            day.push_back((now, input));
        }
    }
    Ok((started, warm, day))
}

/// First what came before the day, at once; then the day at its pace.
struct Day {
    warm: Vec<Input>,
    paced: Paced,
}

impl Source for Day {
    type Error = std::convert::Infallible;

    fn next(&mut self, inputs: &mut Vec<Input>) -> Result<(), Self::Error> {
        inputs.clear();
        let count = self.warm.len().min(1_024);
        inputs.extend(self.warm.drain(..count));
        if inputs.is_empty() { self.paced.next(inputs) } else { Ok(()) }
    }

    fn watermark(&self) -> Timestamp {
        self.paced.watermark
    }

    fn is_quiet(&self) -> bool {
        self.warm.is_empty()
    }
}

/// One stretch of the session.
struct Stretch {
    is_watched: bool,
    took: Vec<Took>,
    memory_mb: f64,
}

fn watched(run: &Path, dir: &Path, speed: u64, stretch: Duration, crowd: &Crowd) -> Done {
    let (started, warm, day) = inputs(run)?;
    let count = day.len();
    let identity = Identity::of_replay(&started)?;
    let writer = Writer::begin(&Setup::durable(dir, identity, stamp))?;
    let serving = serving(dir)?;
    println!(
        "load: a session of {count} inputs at {speed}x, durable, in {}; stretches of {} s",
        dir.display(),
        stretch.as_secs()
    );
    let handed = Rc::new(Cell::new(Begun { waited: waited(), at: Instant::now() }));
    let took = Rc::new(RefCell::new(Vec::new()));
    let stretches = Rc::new(RefCell::new(Vec::new()));
    let mut turns = Turns {
        crowd: crowd.gather(&serving)?,
        stretch,
        is_watched: false,
        begun: None,
        took: Rc::clone(&took),
        stretches: Rc::clone(&stretches),
    };
    let whole = session(&day, speed);
    println!("load: {whole:.0} s in all, {}", crowd.words());
    let paced = Paced {
        inputs: day,
        speed,
        begun: None,
        watermark: Timestamp(0),
        handed: Rc::clone(&handed),
        tend: Box::new(move || turns.tend()),
    };
    let mut source = Day { warm, paced };
    let mut sink = Acknowledged { handed, took };
    let sealed = drive(&started, &mut source, writer, &mut [&mut sink]);
    sealed.map_err(|error| match error {
        DriveError::Journal(error) => Box::<dyn Error>::from(error),
        DriveError::Source(never) => match never {},
    })?;
    drop(source);
    report(&stretches.borrow());
    serving.stop();
    Ok(())
}

fn session(day: &VecDeque<(Timestamp, Input)>, speed: u64) -> f64 {
    let ends = day.front().zip(day.back());
    ends.map_or(0.0, |((first, _), (last, _))| (last.0 - first.0) as f64 / 1e6 / speed as f64)
}

fn stamp() -> Stamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let wall_ns = i64::try_from(since.as_nanos()).unwrap_or(0);
    Stamp { wall_ns, mono_ns: wall_ns, boot_id: [0; 16] }
}

fn serving(dir: &Path) -> Done<Serving> {
    Ok(serve(Options {
        run_dir: dir.into(),
        address: "127.0.0.1".parse()?,
        port: 0,
        mode: Mode::Paper,
        control: None,
        remote: None,
        clock: || Timestamp(stamp().wall_ns / 1_000),
    })?)
}

/// Who watches, and when.
struct Turns {
    crowd: Gathered,
    stretch: Duration,
    is_watched: bool,
    begun: Option<Instant>,
    took: Rc<RefCell<Vec<Took>>>,
    stretches: Rc<RefCell<Vec<Stretch>>>,
}

impl Turns {
    /// Ends a stretch that was long enough, and begins the other kind.
    fn tend(&mut self) {
        let begun = *self.begun.get_or_insert_with(|| {
            self.took.borrow_mut().clear();
            Instant::now()
        });
        if begun.elapsed() < self.stretch {
            return;
        }
        let (took, memory_mb) = (self.took.take(), memory_mb());
        self.stretches.borrow_mut().push(Stretch { is_watched: self.is_watched, took, memory_mb });
        self.is_watched = !self.is_watched;
        // The run stands while people come and go; that is nobody's acknowledgement.
        self.crowd.turn(self.is_watched);
        self.took.borrow_mut().clear();
        self.begun = None;
    }
}

fn memory_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kb.unwrap_or(f64::NAN) / 1_024.0
}

/// In ms.
fn percentile<T>(sorted: &[T], share: f64, of: fn(&T) -> Duration) -> f64 {
    let place = ((sorted.len() - 1) as f64 * share).round() as usize;
    of(&sorted[place]).as_secs_f64() * 1_000.0
}

fn report(stretches: &[Stretch]) {
    println!(
        "{:<11} {:>5} {:>7} {:>7} {:>7} {:>15} {:>7}",
        "stretch", "acks", "p50 ms", "p99 ms", "max ms", "tail for a core", "RSS MB"
    );
    let mut sides = [Vec::new(), Vec::new()];
    for one in stretches.iter().filter(|one| !one.took.is_empty()) {
        let mut took = one.took.clone();
        took.sort_unstable();
        line(if one.is_watched { "watched" } else { "quiet" }, &took, one.memory_mb);
        sides[usize::from(one.is_watched)].extend(took);
    }
    sides.iter_mut().for_each(|side| side.sort_unstable());
    let [quiet, watched] = &sides;
    if quiet.is_empty() || watched.is_empty() {
        println!(
            "load: the session was too short for both kinds of stretches: nothing is compared"
        );
        return;
    }
    line("all quiet", quiet, f64::NAN);
    line("all watched", watched, f64::NAN);
    println!(
        "load: journal acknowledgement p99 {:.2} ms watched, {:.2} ms quiet: ratio {:.2}",
        percentile(watched, 0.99, Took::all),
        percentile(quiet, 0.99, Took::all),
        percentile(watched, 0.99, Took::all) / percentile(quiet, 0.99, Took::all)
    );
}

fn line(name: &str, took: &[Took], memory_mb: f64) {
    println!(
        "{name:<11} {:>5} {:>7.2} {:>7.2} {:>7.2} {:>13.0} % {memory_mb:>7.1}",
        took.len(),
        percentile(took, 0.5, Took::all),
        percentile(took, 0.99, Took::all),
        percentile(took, 1.0, Took::all),
        100.0 * tail_waiting(took)
    );
}

/// Which share of the slowest hundredth's time went by waiting for a core.
fn tail_waiting(sorted: &[Took]) -> f64 {
    let tail = &sorted[(sorted.len() - 1) * 99 / 100..];
    let sum = |of: fn(&Took) -> Duration| tail.iter().map(of).sum::<Duration>().as_secs_f64();
    sum(|took| took.waiting) / sum(|took| took.all)
}

// --- those who watch -----------------------------------------------------------------------------

/// Who is to watch.
struct Crowd {
    clients: u64,
    stuck: u64,
    /// A command that opens pages, where there is a browser.
    browser: Option<String>,
    pages: u64,
}

/// A program that comes and goes when it is told, and says when it has.
struct Group {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

struct Gathered(Vec<Group>);

impl Crowd {
    fn words(&self) -> String {
        let pages = match &self.browser {
            Some(_) => format!("{} pages in Chromium", self.pages),
            None => "NO BROWSER (none is here)".to_owned(),
        };
        format!("{} clients, {} more that take nothing, {pages}", self.clients, self.stuck)
    }

    fn gather(&self, serving: &Serving) -> Done<Gathered> {
        on_the_last_core(|| self.start(serving))
    }

    fn start(&self, serving: &Serving) -> Done<Gathered> {
        let addr = serving.addr.to_string();
        let mut clients = elsewhere(std::env::current_exe()?);
        clients.args(["clients", &addr, &self.clients.to_string(), &self.stuck.to_string()]);
        let mut groups = vec![Group::start(&mut clients)?];
        if let Some(browser) = &self.browser {
            let url = format!("http://{addr}/scanner");
            let mut pages = elsewhere("sh");
            // Nor is what they write to their disk.
            if Path::new("/dev/shm").is_dir() {
                pages.env("TMPDIR", "/dev/shm");
            }
            pages.args(["-c", &format!("exec {browser} {url} {}", self.pages)]);
            groups.push(Group::start(&mut pages)?);
        }
        Ok(Gathered(groups))
    }
}

/// A program that takes what others leave of the last core: people sit at machines of their own,
/// and what they spend on drawing is no cost of being watched.
fn elsewhere(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(program);
    command
}

/// Runs that on the last core, where there are several and it can be said.
fn on_the_last_core<T>(start: impl FnOnce() -> T) -> T {
    #[cfg(target_os = "linux")]
    if let Ok(all) = rustix::thread::sched_getaffinity(None) {
        use rustix::thread::{CpuSet, sched_setaffinity};
        let mut last = CpuSet::new();
        (0..CpuSet::MAX_CPU)
            .rfind(|core| all.is_set(*core))
            .into_iter()
            .for_each(|it| last.set(it));
        let _ = sched_setaffinity(None, &last);
        let started = start();
        let _ = sched_setaffinity(None, &all);
        return started;
    }
    start()
}

impl Group {
    fn start(command: &mut Command) -> Done<Group> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a child without pipes".into());
        };
        Ok(Group { child, to, from: BufReader::new(from) })
    }
}

impl Gathered {
    fn turn(&mut self, is_watched: bool) {
        let word = if is_watched { "come" } else { "go" };
        for group in &mut self.0 {
            let mut said = String::new();
            let told = writeln!(group.to, "{word}").and_then(|()| group.from.read_line(&mut said));
            println!(
                "load: {word}: {}",
                told.map_or_else(|it| it.to_string(), |_| said.trim().into())
            );
        }
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        for mut group in self.0.drain(..) {
            drop(group.to);
            let _ = group.child.wait();
        }
    }
}

/// The other process: clients of the stream, and some that take nothing.
fn clients(addr: SocketAddr, count: u64, stuck: u64) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (bytes, messages) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut standing: Vec<TcpStream> = Vec::new();
    let local = tokio::task::LocalSet::new();
    let (sender, words) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let mut tasks: Vec<tokio::task::JoinHandle<()>> = Vec::new();
    runtime.block_on(local.run_until(async {
        loop {
            let word = match words.try_recv() {
                Ok(word) => word,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                Err(std::sync::mpsc::TryRecvError::Empty) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            if word == "come" {
                for _ in 0..count {
                    let stream = tokio::net::TcpStream::connect(addr).await;
                    let Ok(stream) = stream else { continue };
                    let (bytes, messages) = (Arc::clone(&bytes), Arc::clone(&messages));
                    tasks.push(tokio::task::spawn_local(listen(stream, addr, bytes, messages)));
                }
                standing.extend((0..stuck).filter_map(|_| stand(addr).ok()));
                println!("{} clients listen, {} take nothing", tasks.len(), standing.len());
            } else {
                tasks.drain(..).for_each(|task| task.abort());
                standing.clear();
                let (messages, bytes) =
                    (messages.swap(0, Ordering::Relaxed), bytes.swap(0, Ordering::Relaxed));
                println!("clients heard {messages} messages, {:.1} MB", bytes as f64 / 1e6);
            }
        }
    }));
    Ok(())
}

fn request(addr: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\n\r\n")
}

async fn listen(
    stream: tokio::net::TcpStream,
    addr: SocketAddr,
    bytes: Arc<AtomicU64>,
    messages: Arc<AtomicU64>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = stream;
    if stream.write_all(request(addr, "/api/v1/stream").as_bytes()).await.is_err() {
        return;
    }
    let mut buffer = [0; 16 * 1_024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        bytes.fetch_add(count as u64, Ordering::Relaxed);
        let events = buffer[..count].windows(7).filter(|window| window == b"event: ").count();
        messages.fetch_add(events as u64, Ordering::Relaxed);
    }
}

/// A client that asks from the first event on and never reads.
fn stand(addr: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(addr)?;
    let host = format!("host: {addr}\r\nlast-event-id: 0\r\n\r\n");
    stream.write_all(format!("GET /api/v1/stream HTTP/1.1\r\n{host}").as_bytes())?;
    Ok(stream)
}

// --- a table of many rows ------------------------------------------------------------------------

/// A state of so many rows: asked for the first time after each input, and again.
fn table(dir: &Path, rows: usize) -> Done {
    let run = run(rows)?;
    let identity = Identity::of_replay(&run)?;
    let mut writer = Writer::begin(&Setup::durable(dir, identity, stamp))?;
    let mut core = Core::new(&run);
    writer.input(0, 0, &Input::RunStarted(Box::new(run)))?;
    let serving = serving(dir)?;
    let first = Timestamp::parse("2024-10-01T09:15").ok_or("a time")?;
    let mut seq = 0;
    let mut step = |writer: &mut Writer, input: Input| -> Done<u64> {
        seq += 1;
        let mut derived = Vec::new();
        writer.input(seq, 0, &input)?;
        core.step(seq, &input, &mut derived);
        (1..).zip(&derived).try_for_each(|(index, one)| writer.output(seq, index, one))?;
        Ok(seq)
    };
    let paths = ["/api/v1/state", "/api/scanner-state", "/scanner"];
    let mut took = [const { Vec::new() }; 4];
    for minute in 0..40 {
        let time = first.plus_minutes(minute);
        for place in 0..rows {
            let bar = bar(InstrumentId(u16::try_from(place)?), time, minute);
            step(&mut writer, Input::Bar(bar))?;
        }
        let last = step(&mut writer, Input::Watermark(time.plus_minutes(1)))?;
        writer.settle(true)?;
        while position(serving.addr)? < last {}
        for (place, path) in paths.iter().enumerate() {
            took[place].push(answered(serving.addr, path, rows)?);
        }
        took[3].push(answered(serving.addr, paths[0], rows)?);
    }
    println!("{:<44} {:>9} {:>9}", format!("a table of {rows} rows"), "p50 ms", "p99 ms");
    let names = paths.map(|path| format!("{path}, first after an input"));
    let again = format!("{}, again", paths[0]);
    for (name, took) in names.iter().chain([&again]).zip(&mut took) {
        took.sort_unstable();
        let [half, most] = [0.5, 0.99].map(|share| percentile(took, share, |took| *took));
        println!("{name:<44} {half:>9.2} {most:>9.2}");
    }
    serving.stop();
    Ok(())
}

/// How long a whole answer took, which has to have that many rows.
fn answered(addr: SocketAddr, path: &str, rows: usize) -> Done<Duration> {
    let begun = Instant::now();
    let answer = get(addr, path)?;
    let took = begun.elapsed();
    let keys = answer.matches("NSE_EQ|ROW").count();
    if !answer.starts_with("HTTP/1.1 200") || keys < rows {
        return Err(format!("{path} has {keys} rows").into());
    }
    Ok(took)
}

fn get(addr: SocketAddr, path: &str) -> Done<String> {
    let mut stream = TcpStream::connect(addr)?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn position(addr: SocketAddr) -> Done<u64> {
    let metrics = get(addr, "/metrics")?;
    let line = metrics.lines().find_map(|line| line.strip_prefix("lockstep_position "));
    Ok(line.ok_or("no position")?.parse()?)
}

fn bar(instrument: InstrumentId, open_time: Timestamp, minute: i64) -> Bar {
    let close = Price(1_000_000 + i64::from(instrument.0) * 500 + minute * 1_000);
    let high = Price(close.0 + 500);
    Bar { instrument, open_time, open: close, high, low: close, close, volume: Qty(100) }
}

/// A day of so many instruments, made from a description in JSON, as tools outside would.
fn run(rows: usize) -> Done<RunStarted> {
    use lockstep::domain::config::{ExecutionConfig, FeeSchedule, RunConfig, StrategyConfig};
    use lockstep::domain::event::CORE_VERSION;
    use lockstep::domain::instrument::Listing;
    use lockstep::domain::session::{Session, SessionKind};
    use lockstep::domain::time::{Date, Window};
    let date = Date::parse("2024-10-01").ok_or("a date")?;
    let time = |hour, minute| Timestamp::from_ist(date, hour, minute);
    let windows = vec![Window { open: time(9, 15), close: time(15, 30) }];
    let instrument = |place: usize| {
        let key = format!("NSE_EQ|ROW{place:05}");
        let listing = Listing {
            from: date,
            to: None,
            symbol: format!("ROW{place}"),
            name: format!("Row {place} Ltd"),
            tick: Price(500),
            lot: 1,
            closing_auction: false,
        };
        Instrument { key, isin: String::new(), listings: vec![listing] }
    };
    Ok(RunStarted {
        core_version: CORE_VERSION,
        build: "bench".to_owned(),
        config: RunConfig {
            strategy: StrategyConfig::default(),
            execution: ExecutionConfig::default(),
            fees: FeeSchedule { name: "none".into(), version: "1".into(), periods: Vec::new() },
            active_from: date.start(),
        },
        instruments: (0..rows).map(instrument).collect(),
        calendar_version: "bench".to_owned(),
        sessions: vec![Session {
            date,
            kind: SessionKind::Regular,
            windows,
            auction_windows: Vec::new(),
            own_hours: Vec::new(),
        }],
        data: Vec::new(),
    })
}
