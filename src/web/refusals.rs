//! Who was refused, for the journal: a note in the folder of the run's requests, which the run
//! takes up. Many refusals make one note, so that nobody fills a journal by knocking.

use std::time::Duration;

use tokio::time::sleep;

use crate::driver::control::leave_note;

use super::app::App;
use super::guard::Refusal;
use super::model::Health;

/// How long refusals are gathered before the first is passed on.
const GATHERED: Duration = Duration::from_millis(200);
/// Time between two notes.
const REST: Duration = Duration::from_secs(5);

/// Leaves notes for ever.
pub async fn pass_on(app: App) {
    let mut told = app.counters.refusals();
    loop {
        app.refused.notified().await;
        sleep(GATHERED).await;
        let refused = app.counters.refusals();
        let text = words(&told, &refused);
        let is_over = app.model().health == Health::Sealed;
        if let (Some(dir), Some(text), false) = (app.options.control.clone(), text, is_over) {
            let left = tokio::task::spawn_blocking(move || leave_note(&dir, &text)).await;
            if let Ok(Err(error)) = left {
                eprintln!("scanner: refusals are not noted: {error}");
            }
        }
        told = refused;
        sleep(REST).await;
    }
}

/// What is to stand in the journal, if anything is new.
fn words(told: &[u64], refused: &[u64]) -> Option<String> {
    let new = Refusal::ALL.iter().zip(refused.iter().zip(told)).filter(|(_, (now, was))| now > was);
    let new: Vec<String> =
        new.map(|(refusal, (now, was))| format!("{} {}", refusal.word(), now - was)).collect();
    let all: u64 = refused.iter().sum::<u64>() - told.iter().sum::<u64>();
    let requests = if all == 1 { "request" } else { "requests" };
    let why = new.join(", ");
    (all > 0).then(|| format!("the scanner refused {all} {requests}, nothing changed: {why}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::domain::time::Timestamp;
    use crate::driver::control::notes;

    use super::super::guard::Token;
    use super::super::{Mode, Options};
    use super::*;

    fn app(control: &Path) -> App {
        let address = [127, 0, 0, 1].into();
        let options = Options {
            run_dir: control.to_owned(),
            address,
            port: 1,
            mode: Mode::Paper,
            control: Some(control.to_owned()),
            remote: None,
            clock: || Timestamp(0),
        };
        App::new(options, (address, 1).into(), Token::random().unwrap())
    }

    #[test]
    fn those_who_come_within_a_moment_share_a_note_and_the_next_waits() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        let refuse = |times: usize| {
            (0..times).for_each(|_| app.counters.refused(Refusal::Origin));
            app.refused.notify_one();
        };
        let lines = || {
            let notes = notes(dir.path()).unwrap().into_iter();
            notes.map(|(_, text)| text.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let [three, two] = [3, 2].map(|count| format!("the scanner refused {count} requests"));
        let moment = Duration::from_millis(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async {
            tokio::time::pause();
            let passing = tokio::spawn(pass_on(app.clone()));
            sleep(moment).await;
            refuse(1);
            sleep(GATHERED - moment).await;
            assert_eq!(lines(), [""; 0], "they are gathered");
            refuse(2);
            sleep(2 * moment).await;
            assert_eq!(lines(), [three.as_str()]);
            refuse(2);
            sleep(REST - GATHERED).await;
            assert_eq!(lines(), [three.as_str()], "nobody fills a journal by knocking");
            sleep(2 * GATHERED + moment).await;
            assert_eq!(lines(), [three.as_str(), two.as_str()]);
            passing.abort();
        });
    }

    #[test]
    fn many_refusals_are_one_line_by_reason() {
        let before = vec![0; Refusal::ALL.len()];
        let mut after = before.clone();
        assert_eq!(words(&before, &after), None);
        after[0] = 2;
        after[4] = 1;
        let line = "the scanner refused 3 requests, nothing changed: host 2, method 1";
        assert_eq!(words(&before, &after).as_deref(), Some(line));
    }
}
