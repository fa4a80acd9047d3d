//! From a job's start until its GPUs are back.
//!
//! One keeper a job: it looks at its GPUs every second, ends the job when it takes more memory than it was granted, notes who else is on
//! them, and after the job's end waits until nobody is and no more memory is in use than before. A GPU that does not come back in time goes
//! into quarantine. The watcher, which must stay small and loads nothing of NVIDIA's, knows of none of this; so a keeper is a process of
//! its own, or a thread of whoever uses this crate.
//!
//! Not watched is what happens between two looks, and what happens while there is no keeper: one that was killed is replaced by whoever
//! recovers. Until then no limit of GPU memory is kept, and the GPU stays held.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gradus_jail::protocol::{Answer, Request};
use gradus_jail::watcher::connect_to;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::GpuError;
use super::holds::{Held, Hold, Holds};
use super::notes::{self, Note, Seen};
use super::quarantine::Why;
use super::told::{Nvml, NvmlError, Usage};
use crate::sandbox::Sandbox;
use crate::state::Phase;

mod looking;
mod members;

use looking::Watched;
use members::Membership;

/// How a keeper works.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// time between two looks
    pub every: Duration,
    /// how long a GPU may take to come back after the job's end
    pub patience: Duration,
    /// memory that may be in use beyond what was before: the driver's own bookkeeping moves
    pub slack_bytes: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            every: Duration::from_secs(1),
            patience: Duration::from_secs(30),
            slack_bytes: 32 << 20,
        }
    }
}

/// How often a GPU is looked at that should come back, and a job that cannot be waited for.
const SOON: Duration = Duration::from_millis(50);

/// How long whoever started a job may take to leave its holds to the keeper.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(10);

struct Keeper<'a> {
    sandbox: &'a Sandbox,
    holds: &'a Holds,
    nvml: &'a dyn Nvml,
    settings: Settings,
    name: String,
    directory: PathBuf,
    tell: &'a mut dyn FnMut(&Note),
}

/// Looks after the GPUs of the job `name` until they are back. Returns at once if somebody else does, or if it has none. `tell` is given
/// each note when it is made; they are in the job's record too.
///
/// # Errors
/// If a hold or a quarantine cannot be written: the GPU stays held then.
pub fn keep(
    sandbox: &Sandbox,
    holds: &Holds,
    nvml: &dyn Nvml,
    name: &str,
    settings: Settings,
    tell: &mut dyn FnMut(&Note),
) -> Result<(), GpuError> {
    let mut keeper = Keeper {
        sandbox,
        holds,
        nvml,
        settings,
        name: name.to_owned(),
        directory: sandbox.state().directory(name),
        tell,
    };
    let watched = keeper.take_up()?;
    keeper.watch_and_settle(watched)
}

/// Takes up what nobody looks after: waits for GPUs of jobs that have ended, and puts those into quarantine that do not come back. Names of
/// jobs that still run, for which a keeper has to be started ([`keep`]).
///
/// # Errors
/// The first of what went wrong; all holds were tried.
pub fn recover(
    sandbox: &Sandbox,
    holds: &Holds,
    nvml: &dyn Nvml,
    settings: Settings,
    tell: &mut dyn FnMut(&Note),
) -> Result<Vec<String>, GpuError> {
    let mut running = Vec::new();
    let mut result = Ok(());
    for hold in of_state(sandbox, holds)? {
        if holds.is_kept(&hold)? {
            continue;
        }
        if is_running(sandbox, &hold) {
            running.push(hold.job);
            continue;
        }
        let settled = keep(sandbox, holds, nvml, &hold.job, settings, tell);
        result = result.and(settled);
    }
    running.dedup();
    result.map(|()| running)
}

fn of_state(sandbox: &Sandbox, holds: &Holds) -> Result<Vec<Hold>, GpuError> {
    let mut list = holds.list()?;
    list.retain(|hold| hold.state == sandbox.state().root());
    Ok(list)
}

/// Whether the very job runs that the hold is for: another one may have its name since.
fn is_running(sandbox: &Sandbox, hold: &Hold) -> bool {
    let state = sandbox.state();
    let Ok(record) = state.record(&hold.job) else {
        return false;
    };
    let is_it = |plan: Option<gradus_jail::plan::Plan>| {
        plan.is_none_or(|plan| {
            plan.gpus
                .iter()
                .any(|gpu| gpu.uuid == hold.uuid && gpu.taken_unix_ns == hold.taken_unix_ns)
        })
    };
    match record.phase {
        Phase::Starting | Phase::Running => state.plan(&hold.job).is_ok_and(is_it),
        Phase::Ended(_) | Phase::Lost => false,
    }
}

impl Keeper<'_> {
    /// The job's holds; none if somebody else has the first one.
    fn take_up(&mut self) -> Result<Vec<Watched>, GpuError> {
        let mut watched = Vec::new();
        let mut mine = of_state(self.sandbox, self.holds)?;
        mine.retain(|hold| hold.job == self.name);
        let deadline = Instant::now() + HANDED_OVER_WITHIN;
        for hold in mine {
            let held = loop {
                match self.holds.adopt(&hold)? {
                    Some(held) => break Some(held),
                    None if Instant::now() > deadline => break None,
                    // Whoever has started it is about to let go.
                    None => std::thread::sleep(Duration::from_millis(5)),
                }
                if !self.holds.list()?.contains(&hold) {
                    break None;
                }
            };
            match held {
                Some(held) => watched.push(Watched::new(held)),
                // Another keeper has this one, and takes the others.
                None => break,
            }
        }
        Ok(watched)
    }

    fn note(&mut self, uuid: &str, seen: Seen) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let note = Note {
            uuid: uuid.to_owned(),
            unix_s: now.map_or(0, |since| since.as_secs()),
            seen,
        };
        notes::append(&self.directory, &note);
        (self.tell)(&note);
    }

    fn watch_and_settle(&mut self, mut watched: Vec<Watched>) -> Result<(), GpuError> {
        let keeper = std::process::id();
        for one in &watched {
            self.note(&one.held.hold.uuid, Seen::Watched { keeper });
        }
        loop {
            let running = watched
                .iter()
                .any(|one| is_running(self.sandbox, &one.held.hold));
            if !running {
                break;
            }
            let membership = Membership::of(self.sandbox, &self.name);
            for one in &mut watched {
                self.look(one, &membership);
            }
            self.wait_for_the_end();
        }
        for one in &watched {
            let used_bytes = one.peak_bytes;
            self.note(&one.held.hold.uuid, Seen::Peak { used_bytes });
        }
        let ended = Instant::now();
        let mut result = Ok(());
        for one in watched {
            result = result.and(self.settle(one.held, ended));
        }
        result
    }

    /// Until the job has ended, or it is time for another look.
    fn wait_for_the_end(&self) {
        let until = Instant::now() + self.settings.every;
        let asked = connect_to(&self.directory, self.settings.every).and_then(|channel| {
            channel.send(&Request::Wait, &[])?;
            Ok(channel)
        });
        let Ok(channel) = asked else {
            // It does not listen yet, or has just ended.
            std::thread::sleep(SOON.min(self.settings.every));
            return;
        };
        let rest = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: rest.as_secs() as i64,
            tv_nsec: i64::from(rest.subsec_nanos()),
        };
        let mut ready = [PollFd::new(&channel, PollFlags::IN)];
        if poll(&mut ready, Some(&timeout)).is_ok_and(|count| count > 0) {
            // What it says is in the journal too; a watcher that has died says nothing, and is found so.
            let _ = channel.receive::<Answer>();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the GPU is back, and lets it go; or puts it into quarantine.
    fn settle(&mut self, held: Held, ended: Instant) -> Result<(), GpuError> {
        let uuid = held.hold.uuid.clone();
        let why = loop {
            let why = match self.nvml.usage(&uuid) {
                Ok(usage) => self.left(&held.hold, &usage),
                Err(NvmlError::Lost) => break Some(Why::Lost),
                // A driver that is loaded anew is back in a moment.
                Err(error) => Some(Why::Unknown {
                    error: error.to_string(),
                }),
            };
            if why.is_none() || ended.elapsed() > self.settings.patience {
                break why;
            }
            std::thread::sleep(SOON);
        };
        match why {
            None => {
                let after_ms = u64::try_from(ended.elapsed().as_millis()).unwrap_or(u64::MAX);
                held.release()?;
                self.note(&uuid, Seen::Returned { after_ms });
            }
            Some(why) => {
                self.holds.quarantine(held, why.clone())?;
                self.note(&uuid, Seen::Quarantined { why });
            }
        }
        Ok(())
    }

    /// What is in use that was not when the GPU was taken: nobody was on it then.
    fn left(&self, hold: &Hold, usage: &Usage) -> Option<Why> {
        if !usage.processes.is_empty() {
            let pids = usage.processes.iter().map(|process| process.pid).collect();
            return Some(Why::ProcessesLeft { pids });
        }
        let (before, after) = (hold.baseline_bytes, usage.used_bytes);
        (after > before.saturating_add(self.settings.slack_bytes))
            .then_some(Why::MemoryNotReturned { before, after })
    }
}
