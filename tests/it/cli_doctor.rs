//! `lockstep doctor` as a user has it: what it says of the clock, the port, the keys and the disk,
//! and how a program reads it.

use std::net::TcpListener;

use serde_json::Value;

use crate::desk::Desk;
use crate::tls::{Authority, Server, Shows};

/// What the doctor says of one thing.
fn found<'a>(document: &'a Value, what: &str) -> Vec<&'a Value> {
    let checks = document["checks"].as_array().expect("a list");
    let found: Vec<&Value> = checks.iter().filter(|check| check["what"] == what).collect();
    assert!(!found.is_empty(), "no {what} in {document}");
    found
}

#[test]
fn a_clock_that_is_far_off_is_a_problem() {
    let desk = Desk::new();
    let authority = Authority::new();
    desk.write("ca.pem", authority.pem());
    let date = "Tue, 24 Nov 2020 22:32:47 GMT";
    let answer = format!(
        "HTTP/1.1 404 Not Found\r\ndate: {date}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let server = Server::start(&authority, Shows::Right, &answer);
    let flags = format!("--broker {} --broker-roots ca.pem", server.url);
    let ran = desk.run(&format!("doctor --json {flags}"));
    let asked = server.got().said;
    assert!(asked.starts_with("GET / HTTP/1.1") && !asked.contains("uthorization"), "{asked}");
    let document = ran.json(2);
    let clock = found(&document, "Clock")[0];
    assert_eq!(clock["state"], "problem", "{clock}");
    assert!(clock["fact"].as_str().unwrap().contains("s ahead of the broker's"), "{clock}");
    assert!(clock["help"].as_str().unwrap().contains("timedatectl"), "{clock}");
}

#[test]
fn what_cannot_be_asked_is_not_checked_and_says_why() {
    let desk = Desk::new();
    // A port that no system hands out: one that was let go could be another test's by now.
    let nobody = "http://127.0.0.1:1";
    for (flags, why) in [
        ("--offline".to_owned(), "--offline"),
        (format!("--broker {nobody}"), "the broker cannot be reached"),
    ] {
        let document = desk.run(&format!("doctor --json {flags}")).json(0);
        let fact = found(&document, "Clock")[0]["fact"].as_str().unwrap();
        let start = format!("not checked against the broker's: {why}");
        assert!(fact.starts_with(&start), "{fact}");
    }
}

#[test]
fn the_port_the_keys_and_the_disk_are_looked_at_and_nothing_is_left_behind() {
    let desk = Desk::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let before = desk.listing();
    let flags = format!("--offline --port {port} --symbols NSE_EQ|INE245A01021");
    let document = desk.run(&format!("doctor --json {flags}")).json(0);
    assert_eq!(desk.listing(), before);
    let port = found(&document, "Port")[0];
    assert!(port["fact"].as_str().unwrap().contains("is taken by "), "{port}");
    assert!(port["help"].as_str().unwrap().contains("--port 0"), "{port}");
    let keys = found(&document, "Key");
    let facts: Vec<&str> = keys.iter().map(|key| key["fact"].as_str().unwrap()).collect();
    assert_eq!(facts.len(), 3, "{facts:?}");
    assert!(facts[0].contains("BSE Ltd (BSE), not Bajaj Finance"), "{facts:?}");
    assert!(facts[1].contains("(TMPV), not Tata Power"), "{facts:?}");
    assert!(facts[2].contains("(TATAPOWER)"), "{facts:?}");
    for what in ["Disk", "Sync", "Calendar", "Token", "Golden"] {
        found(&document, what);
    }
    assert_eq!(document["problems"], 0, "{document}");
    let table = desk.run("doctor --offline").expect(0);
    assert!(table.contains(" Key       note  NSE_EQ|INE118H01025"), "{table}");
    let wrong = desk.run("doctor --offline --symbols NSE_EQ|INE000000000");
    assert_eq!(wrong.code, 2, "{}", wrong.stdout);
    assert!(wrong.stdout.contains("not in the instrument master"), "{}", wrong.stdout);
}
