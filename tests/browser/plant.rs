//! `plant RUN OUT` writes the journal of a finished run once more as one that is lived, up to the
//! last signal in the middle of a day, and waits for a line; then that signal comes with another
//! quantity, as if a wrong program had written it, and the rest of the day. Another line seals it.
//! For the browser's story of a page that turns red while somebody looks at it.

use std::error::Error;
use std::io::stdin;
use std::path::PathBuf;

use lockstep::domain::event::{Derived, Event, Input, Output, Record};
use lockstep::journal::writer::Stamp;
use lockstep::journal::{Identity, Reader, Setup, Writer};

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [run, out] = &paths[..] else { return Err("plant RUN OUT".into()) };
    let mut records = Reader::open(run)?.collect::<Result<Vec<Record>, _>>()?;
    let Some(Event::Input(Input::RunStarted(started))) = records.first().map(|it| it.event.clone())
    else {
        return Err("the run has no beginning".into());
    };
    // By then the day has bars that are the same.
    let is_signal = |record: &Record| match &record.event {
        Event::Output(Output::Signal(signal)) => signal.bar_time.hour() >= 11,
        _ => false,
    };
    let place = records.iter().rposition(is_signal).ok_or("the run has no signal")?;
    let (seq, day) = (records[place].id.seq, records[place].event.time().map(|it| it.date()));
    if let Event::Output(Output::Signal(signal)) = &mut records[place].event {
        signal.quantity.0 += 1;
    }
    let now = || Stamp { wall_ns: 1, mono_ns: 1, boot_id: [0; 16] };
    let identity = Identity { created_ns: 1, ..Identity::of_replay(&started)? };
    let mut writer = Writer::begin(&Setup::durable(out, identity, now))?;
    let before = records.iter().take_while(|record| record.id.seq < seq);
    before.clone().try_for_each(|record| write(&mut writer, record))?;
    writer.settle(true)?;
    println!("ready {day:?}");
    stdin().read_line(&mut String::new())?;
    let is_of_day = |record: &&Record| record.event.time().is_none_or(|it| Some(it.date()) == day);
    let after = records.iter().skip(before.count()).take_while(is_of_day);
    after.clone().try_for_each(|record| write(&mut writer, record))?;
    writer.settle(true)?;
    println!("planted");
    stdin().read_line(&mut String::new())?;
    writer.seal()?;
    Ok(())
}

fn write(writer: &mut Writer, record: &Record) -> Result<(), Box<dyn Error>> {
    match &record.event {
        Event::Input(input) => writer.input(record.id.seq, record.received_ns, input)?,
        Event::Output(output) => {
            let derived = Derived { cause: record.cause, output: output.clone() };
            writer.output(record.id.seq, record.id.index, &derived)?;
        }
    }
    Ok(())
}
