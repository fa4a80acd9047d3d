//! Freeze, kill, wait until nothing runs.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::counters::field;
use super::error::CgroupError;
use super::files::{Dir, read_from_start};
use super::group::{Group, Member};
use super::host::Controller;

/// How long a freezing group is waited for before its processes are killed anyhow.
const FREEZE_BEFORE_KILL: Duration = Duration::from_millis(50);

/// How many processes are held at a time while they are killed; a process has at least 1024 descriptors.
const KILLED_AT_ONCE: usize = 256;

/// How long the end is waited for before processes are looked for that the first kill did not reach.
const END_ROUND: Duration = Duration::from_millis(200);

/// The first pause between two looks; the next ones are longer.
const FIRST_PAUSE: Duration = Duration::from_micros(200);

/// From this pause on, only the kernel's notice is waited for.
const LOOK_BEFORE_WAITING: Duration = Duration::from_millis(20);

/// Rounds of killing in a group that cannot be frozen and forks meanwhile.
const KILL_ROUNDS: usize = 64;

impl Group {
    /// Sends SIGKILL to every process, frozen ones and those that are just being started included. They are gone only when
    /// [`Group::wait_empty`] says so.
    ///
    /// With version 2 that is one write. Without it the group is frozen, every process is killed, and the group is thawed, since version 1
    /// keeps a killed process until then.
    ///
    /// # Errors
    /// The kernel's refusal, or [`CgroupError::Inside`] where this would kill the caller one by one.
    pub fn kill(&self) -> Result<(), CgroupError> {
        let Some(v2) = self.v2() else {
            return self.kill_each();
        };
        match v2.dir.write("cgroup.kill", "1") {
            // kernels before 5.14; or a group that somebody removed
            Err(CgroupError::Write {
                errno: Errno::NOENT | Errno::NODEV,
                ..
            }) => self.kill_each(),
            other => other,
        }
    }

    /// Waits until no process is left. With version 2 the kernel wakes the caller; version 1 is asked again and again.
    ///
    /// # Errors
    /// [`CgroupError::Populated`] if some are left after `timeout`.
    pub fn wait_empty(&self, timeout: Duration) -> Result<(), CgroupError> {
        let clock = Clock::start(timeout);
        for member in &self.members {
            let empty = match self.v2() {
                Some(v2) if std::ptr::eq(v2, member) => {
                    wait_for_event(&member.dir, "populated", 0, &clock)?
                }
                _ => wait_by_asking(&clock, || Ok(member.dir.processes()?.is_empty()))?,
            };
            if !empty {
                return Err(CgroupError::Populated {
                    dir: member.dir.path().to_owned(),
                    waited_ms: clock.waited_ms(),
                });
            }
        }
        Ok(())
    }

    /// Whether no process is left.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn is_empty(&self) -> Result<bool, CgroupError> {
        match self.wait_empty(Duration::ZERO) {
            Ok(()) => Ok(true),
            Err(CgroupError::Populated { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Kills and waits, also for processes that are in a group of version 1 but not in that of version 2, as after a start that was
    /// cut short.
    ///
    /// # Errors
    /// As [`Group::kill`] and [`Group::wait_empty`].
    pub fn end(&self, timeout: Duration) -> Result<(), CgroupError> {
        let clock = Clock::start(timeout);
        self.kill()?;
        loop {
            match self.wait_empty(clock.left().min(END_ROUND)) {
                Err(CgroupError::Populated { .. }) if !clock.left().is_zero() => {
                    self.kill_each()?
                }
                Err(CgroupError::Populated { dir, .. }) => {
                    return Err(CgroupError::Populated {
                        dir,
                        waited_ms: clock.waited_ms(),
                    });
                }
                other => return other,
            }
        }
    }

    /// Stops every process where it is, and waits until all of them are.
    ///
    /// # Errors
    /// [`CgroupError::NotFrozen`] if some still run after `timeout`; they stop later unless [`Group::thaw`] is called.
    pub fn freeze(&self, timeout: Duration) -> Result<(), CgroupError> {
        let clock = Clock::start(timeout);
        let Some(member) = self.member(Controller::Freezer) else {
            return Err(no_freezer());
        };
        let frozen = if self.is_v2(member) {
            member.dir.write("cgroup.freeze", "1")?;
            wait_for_event(&member.dir, "frozen", 1, &clock)?
        } else {
            wait_by_asking(&clock, || {
                // each write makes the kernel look for new processes
                member.dir.write("freezer.state", "FROZEN")?;
                Ok(member.dir.read("freezer.state")?.trim() == "FROZEN")
            })?
        };
        if frozen {
            return Ok(());
        }
        Err(CgroupError::NotFrozen {
            dir: member.dir.path().to_owned(),
            waited_ms: clock.waited_ms(),
        })
    }

    /// Lets frozen processes run.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn thaw(&self) -> Result<(), CgroupError> {
        let Some(member) = self.member(Controller::Freezer) else {
            return Err(no_freezer());
        };
        if self.is_v2(member) {
            member.dir.write("cgroup.freeze", "0")
        } else {
            member.dir.write("freezer.state", "THAWED")
        }
    }

    fn is_v2(&self, member: &Member) -> bool {
        self.v2().is_some_and(|v2| std::ptr::eq(v2, member))
    }

    /// Kills every process that is listed in any of the groups, until no new ones come.
    fn kill_each(&self) -> Result<(), CgroupError> {
        let own = rustix::process::getpid().as_raw_pid();
        let mut populated = false;
        for Member { dir, .. } in &self.members {
            let pids = dir.processes()?;
            // asked before anything is frozen, which would be the caller
            if pids.contains(&own) {
                return Err(CgroupError::Inside {
                    dir: dir.path().to_owned(),
                });
            }
            populated |= !pids.is_empty();
        }
        if !populated {
            return Ok(());
        }
        let can_freeze = self.member(Controller::Freezer).is_some();
        if can_freeze {
            // where it does not freeze in time, the rounds below still end it
            _ = self.freeze(FREEZE_BEFORE_KILL);
        }
        let mut seen = BTreeSet::new();
        let mut killed = self.kill_listed(&mut seen);
        // whatever happened: a group that is left frozen never ends
        let thawed = if can_freeze { self.thaw() } else { Ok(()) };
        for _ in 0..KILL_ROUNDS {
            if !matches!(killed, Ok(new) if new > 0) {
                break;
            }
            killed = self.kill_listed(&mut seen);
        }
        killed.map(drop).and(thawed)
    }

    /// Kills the processes that are listed now. Returns how many were not seen before.
    fn kill_listed(&self, seen: &mut BTreeSet<i32>) -> Result<usize, CgroupError> {
        let mut new = 0;
        for Member { dir, .. } in &self.members {
            let pids = dir.processes()?;
            for pids in pids.chunks(KILLED_AT_ONCE) {
                let held: Vec<(i32, OwnedFd)> = pids.iter().filter_map(|pid| hold(*pid)).collect();
                // an id that is still listed now belongs to the process that is held: it cannot have been given to another meanwhile
                let still: BTreeSet<i32> = dir.processes()?.into_iter().collect();
                for (pid, fd) in held.iter().filter(|(pid, _)| still.contains(pid)) {
                    match rustix::process::pidfd_send_signal(fd, Signal::KILL) {
                        Ok(()) | Err(Errno::SRCH) => new += usize::from(seen.insert(*pid)),
                        Err(errno) => {
                            return Err(CgroupError::Signal {
                                pid: *pid,
                                dir: dir.path().to_owned(),
                                errno,
                            });
                        }
                    }
                }
            }
        }
        Ok(new)
    }
}

fn hold(pid: i32) -> Option<(i32, OwnedFd)> {
    // ended meanwhile, or not shown by this process's pid namespace
    let fd = rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    Some((pid, fd))
}

fn no_freezer() -> CgroupError {
    CgroupError::Invalid {
        what: "none of the job's groups can be frozen".to_owned(),
    }
}

/// Time that is waited at most.
struct Clock {
    start: Instant,
    timeout: Duration,
}

impl Clock {
    fn start(timeout: Duration) -> Clock {
        Clock {
            start: Instant::now(),
            timeout,
        }
    }

    fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.start.elapsed())
    }

    fn waited_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }
}

/// Waits until a line of `cgroup.events` has this value. False if it does not in time.
fn wait_for_event(
    dir: &Dir,
    key: &'static str,
    value: u64,
    clock: &Clock,
) -> Result<bool, CgroupError> {
    let file = dir.path().join("cgroup.events");
    let fd = match dir.open_file("cgroup.events", OFlags::RDONLY) {
        // removed: nothing is in it
        Err(Errno::NOENT | Errno::NODEV) => return Ok(true),
        other => other.map_err(|errno| CgroupError::Watch {
            path: file.clone(),
            errno,
        })?,
    };
    let mut pause = FIRST_PAUSE;
    loop {
        // what changes after this is what poll wakes for
        let text = match read_from_start(&fd) {
            Err(Errno::NODEV) => return Ok(true),
            other => other.map_err(|errno| CgroupError::Read {
                file: file.clone(),
                errno,
            })?,
        };
        let Some(now) = field(&text, key) else {
            return Err(CgroupError::Unexpected {
                file,
                expected: key,
                found: text.chars().take(200).collect(),
            });
        };
        if now == value {
            return Ok(true);
        }
        let left = clock.left();
        if left.is_zero() {
            return Ok(false);
        }
        // the kernel holds back a notice for 10 ms after another, which a short job would wait for: so first look by oneself
        let wait = if pause < LOOK_BEFORE_WAITING {
            left.min(pause)
        } else {
            left
        };
        pause *= 2;
        let timeout = Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: wait.subsec_nanos().into(),
        };
        match rustix::event::poll(&mut [PollFd::new(&fd, PollFlags::PRI)], Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(CgroupError::Watch { path: file, errno }),
        }
    }
}

/// Asks until it is so. False if it is not in time.
fn wait_by_asking(
    clock: &Clock,
    mut ask: impl FnMut() -> Result<bool, CgroupError>,
) -> Result<bool, CgroupError> {
    let mut pause = FIRST_PAUSE;
    loop {
        if ask()? {
            return Ok(true);
        }
        let left = clock.left();
        if left.is_zero() {
            return Ok(false);
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}
