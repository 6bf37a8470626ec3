//! Those who watch, in processes of their own: clients of the stream, others that take nothing of
//! it, and pages in a real browser.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lockstep::web::Serving;

use super::Done;

/// Who is to watch.
pub struct Crowd {
    pub clients: u64,
    pub stuck: u64,
    /// A command that opens pages, where there is a browser.
    pub browser: Option<String>,
    pub pages: u64,
}

/// A program that comes and goes when it is told, and says when it has.
struct Group {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

pub struct Gathered(Vec<Group>);

impl Crowd {
    pub fn words(&self) -> String {
        let pages = match &self.browser {
            Some(_) => format!("{} pages in Chromium", self.pages),
            None => "NO BROWSER (none is here)".to_owned(),
        };
        format!("{} clients, {} more that take nothing, {pages}", self.clients, self.stuck)
    }

    pub fn gather(&self, serving: &Serving) -> Done<Gathered> {
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
    pub fn turn(&mut self, is_watched: bool) {
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
pub fn clients(addr: SocketAddr, count: u64, stuck: u64) -> Done {
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
