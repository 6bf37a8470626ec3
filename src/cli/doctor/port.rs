//! Whether the scanner's port is free, and who has it.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use super::report::{Line, State};

/// Tries the port on 127.0.0.1, as the scanner would.
pub fn line(port: u16) -> Line {
    let tried = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(|_| ());
    judged(port, tried, || holder(port))
}

fn judged(port: u16, tried: io::Result<()>, holder: impl FnOnce() -> Option<String>) -> Line {
    let help = "another one with `--port N`, any that is free with `--port 0`";
    match tried {
        Ok(()) => Line::new("Port", State::Ok, format!("{port} on 127.0.0.1 is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let who = holder().unwrap_or_else(|| "a process that this user cannot see".to_owned());
            Line::new("Port", State::Note, format!("{port} is taken by {who}")).hint(help)
        }
        Err(error) => {
            Line::new("Port", State::Note, format!("{port} cannot be had: {error}")).hint(help)
        }
    }
}

/// The process that listens there, where the system shows it (Linux).
fn holder(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let inodes: Vec<String> =
        tables.iter().flatten().flat_map(|table| listeners(table, port)).collect();
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    for process in processes {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let links = files.filter_map(Result::ok).filter_map(|file| fs::read_link(file.path()).ok());
        let is_it = |link: &std::path::PathBuf| {
            link.to_str().is_some_and(|link| inodes.iter().any(|inode| link == inode))
        };
        if links.into_iter().any(|link| is_it(&link)) {
            let command = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", command.trim()));
        }
    }
    None
}

/// The sockets that listen on `port` in a table of `/proc/net`, as links to them read.
fn listeners(table: &str, port: u16) -> Vec<String> {
    const LISTENING: &str = "0A";
    let socket = |line: &str| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?.rsplit_once(':')?.1;
        let is_it = u16::from_str_radix(local, 16) == Ok(port);
        let is_listening = fields.nth(1)? == LISTENING;
        let inode = fields.nth(5)?;
        (is_it && is_listening).then(|| format!("socket:[{inode}]"))
    };
    table.lines().skip(1).filter_map(socket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let found = line(port);
        assert_eq!(found.state, State::Note);
        let wanted = format!("{port} is taken by ");
        assert!(found.fact.starts_with(&wanted), "{}", found.fact);
        #[cfg(target_os = "linux")]
        assert!(found.fact.contains(&std::process::id().to_string()), "{}", found.fact);
        drop(taken);
        assert_eq!(line(port).state, State::Ok);
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(judged(80, Err(denied), || None).state, State::Note);
        let taken = io::Error::from(io::ErrorKind::AddrInUse);
        let found = judged(80, Err(taken), || None);
        assert_eq!(found.fact, "80 is taken by a process that this user cannot see");
    }

    #[test]
    fn a_table_of_sockets_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1\n   \
            1: 0100007F:1388 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 31338 1\n   \
            2: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31339 1\n junk\n";
        assert_eq!(listeners(table, 5_000), ["socket:[31337]"]);
        assert_eq!(listeners(table, 80), Vec::<String>::new());
    }
}
