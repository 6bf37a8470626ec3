//! The threads of a run. Whoever waits for what another one does works meanwhile, so that all of
//! them are busy as long as there is work, however it is spread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, select_biased, unbounded};

/// Some threads and what they have to do. They end with the last of its clones and jobs, after
/// what was started until then.
#[derive(Clone)]
pub struct Crew {
    start: [Sender<Task>; 2],
    todo: Todo,
}

/// What nobody has begun yet, by urgency.
#[derive(Clone)]
struct Todo {
    soon: Receiver<Task>,
    later: Receiver<Task>,
}

type Task = Box<dyn FnOnce() + Send>;

/// What somebody of the crew does, or will do.
pub struct Job<T> {
    crew: Crew,
    outcome: Receiver<thread::Result<T>>,
}

/// When a job's turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// After what was started before with the same turn.
    Soon,
    /// The same, and when there is nothing to be done soon.
    Later,
}

impl Crew {
    /// A crew of `threads`, of which this one is one.
    ///
    /// # Errors
    /// When the others cannot be had.
    pub fn new(threads: usize) -> io::Result<Crew> {
        let ((soon, soon_todo), (later, later_todo)) = (unbounded(), unbounded());
        let todo = Todo { soon: soon_todo, later: later_todo };
        for _ in 1..threads {
            let todo = todo.clone();
            thread::Builder::new().name("crew".to_owned()).spawn(move || todo.work())?;
        }
        Ok(Crew { start: [soon, later], todo })
    }

    /// Has a job done by whoever comes to it first.
    pub fn start<T: Send + 'static>(
        &self,
        turn: Turn,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Job<T> {
        let (done, outcome) = bounded(1);
        let task: Task = Box::new(move || {
            // Where nobody waits for it any more it was done all the same.
            let _ = done.send(catch_unwind(AssertUnwindSafe(job)));
        });
        self.start[turn as usize].send(task).expect("the crew has its own end of the channel");
        Job { crew: self.clone(), outcome }
    }
}

impl Todo {
    /// Does what there is to do until nobody can start anything any more.
    fn work(&self) {
        loop {
            let task = select_biased! {
                recv(self.soon) -> task => task,
                recv(self.later) -> task => task,
            };
            match task {
                Ok(task) => task(),
                Err(_) => break self.later.iter().for_each(|task| task()),
            }
        }
    }
}

impl<T> Job<T> {
    /// What came of it. A job that broke off breaks off here.
    pub fn wait(self) -> T {
        let Todo { soon, later } = &self.crew.todo;
        let outcome = loop {
            let task = select_biased! {
                recv(self.outcome) -> outcome => break outcome,
                recv(soon) -> task => task,
                recv(later) -> task => task,
            };
            task.expect("whoever waits can start something")();
        };
        let outcome = outcome.expect("a job says what came of it");
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_alone_does_what_it_waits_for() {
        let crew = Crew::new(1).unwrap();
        let (say, said) = unbounded();
        let job = |turn, word| {
            let say = say.clone();
            crew.start(turn, move || say.send(word).unwrap())
        };
        let jobs = [
            job(Turn::Later, "c"),
            job(Turn::Soon, "a"),
            job(Turn::Later, "d"),
            job(Turn::Soon, "b"),
        ];
        assert!(said.is_empty(), "nobody else is there");
        jobs.into_iter().for_each(Job::wait);
        assert_eq!(said.try_iter().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_job_may_be_done_by_another_thread() {
        let crew = Crew::new(2).unwrap();
        let (tell, told) = bounded(0);
        // Only somebody else can say this while it is waited for here.
        let job = crew.start(Turn::Later, move || tell.send(thread::current().id()).unwrap());
        assert_ne!(told.recv().unwrap(), thread::current().id());
        job.wait();
    }

    #[test]
    fn what_was_started_is_done_though_nobody_waits() {
        let (say, said) = unbounded();
        let crew = Crew::new(2).unwrap();
        for turn in [Turn::Later, Turn::Soon].repeat(50) {
            let say = say.clone();
            crew.start(turn, move || say.send(()).unwrap());
        }
        drop((say, crew));
        assert_eq!(said.iter().count(), 100);
    }

    #[test]
    fn a_job_that_breaks_off_does_so_where_it_is_waited_for() {
        let crew = Crew::new(1).unwrap();
        let job: Job<()> = crew.start(Turn::Soon, || panic!("the job breaks off"));
        let panic = catch_unwind(AssertUnwindSafe(|| job.wait())).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the job breaks off"));
        assert_eq!(crew.start(Turn::Soon, || 1).wait(), 1, "the crew goes on");
    }
}
