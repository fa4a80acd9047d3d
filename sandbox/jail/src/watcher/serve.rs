//! From the start of a job's program until nothing of it is left: one loop over what can happen.

mod requests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::ending::{self, Cause};
use super::launch::Running;
use super::listener;
use super::logs::Logs;
use super::refusals::{Listener, REFUSED_FILE};
use crate::cgroup::{Events, OomWatch};
use crate::channel::Channel;
use crate::outcome::{LaunchError, Outcome, Usage};
use crate::plan::{Plan, Scratch};
use crate::protocol::{Answer, Ended, FromInside, Report, Request, Status};

/// Bytes read from a stream at once: what a pipe holds.
const READ_BYTES: usize = 64 << 10;
/// How many descriptors are always waited for.
const FIXED: usize = 4;
const OUTPUT: u8 = 1;
const ERRORS: u8 = 2;

struct Watch {
    running: Running,
    logs: Logs,
    streams: Vec<(u8, OwnedFd)>,
    clients: Vec<Client>,
    timer: OwnedFd,
    /// how long it may go on after SIGTERM, once the timer has run out
    grace: Option<Duration>,
    cause: Option<Cause>,
    status: Option<Status>,
    /// why the program that waited did not run when it was started
    failed: Option<LaunchError>,
    /// whether programs are run beside it, and how many were
    runs_others: bool,
    besides: u64,
    oom: Option<OomWatch>,
    /// whether what it writes goes to a file
    in_image: bool,
    refusals: Option<Listener>,
    /// what went wrong with them
    unrecorded: Option<String>,
    buffer: Vec<u8>,
}

struct Client {
    channel: Channel,
    waits: bool,
    /// it has asked for the start of the program that waits
    starts: bool,
    /// what it has asked for is run beside the program
    beside: Option<u64>,
}

impl Client {
    fn new(channel: Channel) -> Client {
        Client {
            channel,
            waits: false,
            starts: false,
            beside: None,
        }
    }
}

/// What a job that has ended has written.
pub(super) struct Outputs {
    clients: Vec<Client>,
    ended: Ended,
    directories: Vec<OwnedFd>,
}

/// Watches a running job to its end: its outputs, if it has some.
pub(super) fn serve(
    plan: &Plan,
    mut running: Running,
    listener: &OwnedFd,
    report: &Channel,
    refusals: Option<Listener>,
) -> io::Result<Option<Outputs>> {
    let started = Instant::now();
    let empty = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map(|(read, _)| read);
    let streams = vec![
        (OUTPUT, std::mem::replace(&mut running.output, empty()?)),
        (ERRORS, std::mem::replace(&mut running.errors, empty()?)),
    ];
    for (_, stream) in &streams {
        rustix::fs::fcntl_setfl(stream, rustix::fs::OFlags::NONBLOCK)?;
    }
    let oom = match &running.group {
        Some(group) => group.oom_watch().map_err(io::Error::other)?,
        None => None,
    };
    let mut watch = Watch {
        running,
        logs: Logs::new(plan.logs.clone()),
        streams,
        clients: Vec::new(),
        timer: timerfd_create(
            TimerfdClockId::Boottime,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?,
        grace: None,
        cause: None,
        status: None,
        failed: None,
        runs_others: plan.bundled.is_some(),
        besides: 0,
        oom,
        in_image: matches!(plan.scratch, Scratch::Loop { .. }),
        refusals,
        unrecorded: None,
        buffer: vec![0; READ_BYTES],
    };
    if let Some(deadline) = &plan.deadline {
        watch.grace = Some(Duration::from_millis(deadline.grace_ms));
        watch.set_timer(Duration::from_millis(deadline.wall_ms))?;
    }
    while watch.status.is_none() {
        watch.wait(listener)?;
    }
    let ended = watch.end(started)?;
    let ended_report = Report::Ended(ended.clone());
    super::journal(&ended_report)?;
    let _ = report.send(&ended_report, &[]);
    let directories = std::mem::take(&mut watch.running.outputs);
    let mut clients = std::mem::take(&mut watch.clients);
    drop(watch);
    clients.retain(|client| {
        !(client.waits || client.starts || client.beside.is_some())
            || client
                .channel
                .send(&Answer::Ended(ended.clone()), &[])
                .is_ok()
    });
    Ok((!directories.is_empty()).then_some(Outputs {
        clients,
        ended,
        directories,
    }))
}

impl Watch {
    /// Waits for the next thing that happens and does what it asks for.
    fn wait(&mut self, listener: &OwnedFd) -> io::Result<()> {
        let pause = self.logs.pause();
        let refusals_pause = self.refusals.as_mut().and_then(Listener::pause);
        let timeout = [pause, refusals_pause].into_iter().flatten().min();
        let timeout = timeout.map(|pause| Timespec {
            tv_sec: pause.as_secs() as i64,
            tv_nsec: i64::from(pause.subsec_nanos()),
        });
        let oom = self
            .oom
            .as_ref()
            .map(|watch| (watch.fd(), watch.poll_flags()));
        let oom_index = oom.map(|_| FIXED);
        let fixed: [BorrowedFd<'_>; FIXED] = [
            self.running.channel.as_fd(),
            self.running.pidfd.as_fd(),
            self.timer.as_fd(),
            listener.as_fd(),
        ];
        let mut descriptors: Vec<BorrowedFd<'_>> = fixed.to_vec();
        descriptors.extend(oom.map(|(fd, _)| fd));
        let first_client = descriptors.len();
        descriptors.extend(self.clients.iter().map(|client| client.channel.as_fd()));
        let asking = descriptors.len();
        let asked = self.refusals.as_ref().filter(|_| refusals_pause.is_none());
        descriptors.extend(asked.map(|listener| listener.as_fd()));
        let first_stream = descriptors.len();
        if pause.is_none() {
            descriptors.extend(self.streams.iter().map(|(_, stream)| stream.as_fd()));
        }
        let mut polled: Vec<PollFd<'_>> = descriptors
            .iter()
            .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
            .collect();
        if let (Some(index), Some((fd, flags))) = (oom_index, oom) {
            polled[index] = PollFd::from_borrowed_fd(fd, flags);
        }
        match poll(&mut polled, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(()),
            other => other?,
        };
        let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        let asks = (asking < first_stream).then(|| polled[asking].revents());
        drop((polled, descriptors));
        if let Some(events) = asks.filter(|events| !events.is_empty()) {
            self.answer_filter(events.contains(PollFlags::IN));
        }

        // Streams first: what was printed before the end belongs to it.
        for index in (first_stream..ready.len())
            .rev()
            .filter(|index| ready[*index])
        {
            self.read_stream(index - first_stream)?;
        }
        if ready[2] {
            self.time_is_up()?;
        }
        // Version 1 of control groups kills one process, and the others go on without it.
        if oom_index.is_some_and(|index| ready[index])
            && let Some(watch) = &self.oom
        {
            match watch.oom_kills() {
                Ok(0) => {}
                Ok(_) => self.stop(Cause::OutOfMemory, Duration::ZERO)?,
                // The counters are read at the end all the same.
                Err(_) => self.oom = None,
            }
        }
        for index in (first_client..asking).rev().filter(|index| ready[*index]) {
            self.answer(index - first_client)?;
        }
        if ready[3] {
            let channel = listener::client(listener)?;
            self.clients.push(Client::new(channel));
        }
        if ready[0] || ready[1] {
            self.status = match self.running.channel.receive::<FromInside>() {
                Ok(Some((FromInside::Ended(status), _))) => Some(status),
                Ok(Some((FromInside::Started(_), _))) if self.running.held => {
                    self.started()?;
                    None
                }
                Ok(Some((FromInside::EndedBeside { id, status }, _))) => {
                    self.clients.retain_mut(|client| {
                        let answer = Answer::EndedBeside { status };
                        client.beside != Some(id) || client.channel.send(&answer, &[]).is_ok()
                    });
                    None
                }
                Ok(Some((FromInside::Failed(error), _))) if self.running.held => {
                    self.failed = Some(error);
                    Some(Status::Exited(127))
                }
                // Killed: from outside, since nothing inside can.
                _ => Some(Status::Signalled(libc::SIGKILL)),
            };
        }
        Ok(())
    }

    fn read_stream(&mut self, index: usize) -> io::Result<()> {
        let (kind, stream) = &self.streams[index];
        match rustix::io::read(stream, &mut self.buffer) {
            Ok(0) => drop(self.streams.swap_remove(index)),
            Ok(bytes) => {
                let kept = self.logs.keep(*kind, &self.buffer[..bytes]);
                kept.map_err(|error| io::Error::other(format!("log.*: {error}")))?;
                if self.logs.flooded() {
                    self.stop(Cause::Flood, Duration::ZERO)?;
                }
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Says no to the next call that the filter asks about; nobody is left who could make one where there is none.
    fn answer_filter(&mut self, there_is_one: bool) {
        let answered = self.refusals.as_mut().map(|listener| {
            if there_is_one {
                listener.answer_next()
            } else {
                Ok(())
            }
        });
        if let Some(Err(error)) = &answered {
            self.unrecorded.get_or_insert(error.to_string());
        }
        // Without a listener the kernel refuses all the same.
        if !there_is_one || matches!(answered, Some(Err(_))) {
            self.write_refusals();
            self.refusals = None;
        }
    }

    fn write_refusals(&mut self) {
        if let Some(Err(error)) = self.refusals.as_mut().map(Listener::write) {
            self.unrecorded.get_or_insert(error.to_string());
        }
    }

    fn time_is_up(&mut self) -> io::Result<()> {
        let mut expirations = [0; 8];
        if rustix::io::read(&self.timer, &mut expirations).is_err() {
            return Ok(());
        }
        match self.grace.take() {
            Some(grace) => self.stop(Cause::Deadline, grace),
            None => self.kill(),
        }
    }

    /// Ends the job for `cause`, after `grace`.
    fn stop(&mut self, cause: Cause, grace: Duration) -> io::Result<()> {
        self.cause.get_or_insert(cause);
        self.grace = None;
        // A program that waits to be started has nothing to put in order.
        if grace.is_zero() || self.running.held {
            return self.kill();
        }
        // From here: what fences the job keeps signals of its first process from the program.
        let _ = pidfd_send_signal(&self.running.program, Signal::TERM);
        self.set_timer(grace)
    }

    fn kill(&mut self) -> io::Result<()> {
        if let Some(group) = &self.running.group {
            group.kill().map_err(io::Error::other)?;
        }
        // Without a group the pid namespace is what dies as a whole.
        let _ = pidfd_send_signal(&self.running.pidfd, Signal::KILL);
        Ok(())
    }

    fn set_timer(&mut self, after: Duration) -> io::Result<()> {
        let after = after.max(Duration::from_nanos(1));
        let it_value = Timespec {
            tv_sec: after.as_secs() as i64,
            tv_nsec: i64::from(after.subsec_nanos()),
        };
        let it_interval = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        timerfd_settime(
            &self.timer,
            TimerfdTimerFlags::empty(),
            &Itimerspec {
                it_interval,
                it_value,
            },
        )?;
        Ok(())
    }

    /// Why not all that the job wrote is in its image, where something of it is handed over. The image has holes: what was written to it in
    /// memory may find no room on the host's disk later, when nobody is told any more.
    fn unwritten(&self) -> Option<i32> {
        let directory = self.running.outputs.first().filter(|_| self.in_image)?;
        let written = rustix::fs::syncfs(directory);
        written.err().map(rustix::io::Errno::raw_os_error)
    }

    /// Ends what is left of the job, and says how it ended.
    fn end(&mut self, started: Instant) -> io::Result<Ended> {
        let wall_ms = started.elapsed().as_millis() as u64;
        let mut left = Vec::new();
        let _ = pidfd_send_signal(&self.running.pidfd, Signal::KILL);
        let mut events = Events::default();
        let mut usage = Usage {
            wall_ms,
            ..Usage::default()
        };
        if let Some(group) = &self.running.group {
            // Killed at once as a whole, and waited for where the kernel gives notice at once; then its groups are empty as a rule.
            left.extend(group.kill().err().map(|error| error.to_string()));
            ending::wait_for_first(&self.running.pidfd);
            left.extend(ending::kill_group(group).err());
        }
        waitid(
            WaitId::PidFd(self.running.pidfd.as_fd()),
            WaitIdOptions::EXITED,
        )?;
        // Nobody writes any more: what is in the pipes is the last of it.
        while !self.streams.is_empty() && !self.logs.flooded() {
            let before = (self.streams.len(), self.logs.total());
            for index in (0..self.streams.len()).rev() {
                self.read_stream(index)?;
            }
            if before == (self.streams.len(), self.logs.total()) {
                break;
            }
        }
        usage.log_bytes = self.logs.total();
        self.write_refusals();
        left.extend(
            self.unrecorded
                .take()
                .map(|error| format!("{REFUSED_FILE} has not all that it was refused: {error}")),
        );
        if let Some(group) = self.running.group.take() {
            match group.events() {
                Ok(read) => events = read,
                Err(error) => left.push(error.to_string()),
            }
            match group.usage() {
                Ok(used) => {
                    usage.cpu_us = used.cpu_us;
                    usage.memory_peak_bytes = used.memory_peak_bytes;
                }
                Err(error) => left.push(error.to_string()),
            }
            usage.pids_refused = Some(events.pids_refused);
            left.extend(
                group
                    .remove(ending::GONE_WITHIN)
                    .map_err(|error| error.to_string())
                    .err(),
            );
        }
        let disk_full = self.running.outputs.first().is_some_and(full);
        let mut outcome = match self.failed.take() {
            Some(error) => Outcome::LaunchFailed { error },
            None => ending::outcome(self.cause, self.status, &events, disk_full),
        };
        if let Some(errno) = self.unwritten() {
            self.running.outputs.clear();
            outcome = ending::without_its_writes(outcome, errno);
            left.push(
                "what it wrote is not whole, and not handed over; help: make room where the state directory is, and run it again"
                    .to_owned(),
            );
        }
        Ok(Ended {
            outcome,
            usage,
            left,
        })
    }
}

/// Whether a file system has no room worth the name: a write fails before the last blocks, which its own tables take, are gone. Of those
/// that are free, ext4 keeps some for itself, and with writes under way it counts with room to spare.
fn full(directory: &OwnedFd) -> bool {
    const SPARE_BYTES: u64 = 128 << 10;
    rustix::fs::fstatvfs(directory).is_ok_and(|stat| {
        let spare = SPARE_BYTES / stat.f_frsize.max(1) + stat.f_blocks / 512;
        stat.f_bavail <= spare || stat.f_ffree == 0
    })
}

impl Outputs {
    /// Gives them out until somebody says that they are taken.
    pub(super) fn hand_over(self, listener: &OwnedFd) -> io::Result<()> {
        let Outputs {
            mut clients,
            ended,
            directories,
        } = self;
        let directories: Vec<BorrowedFd<'_>> = directories.iter().map(AsFd::as_fd).collect();
        loop {
            let mut polled: Vec<PollFd<'_>> = [listener.as_fd()]
                .into_iter()
                .chain(clients.iter().map(|client| client.channel.as_fd()))
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
                .collect();
            match poll(&mut polled, None) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(polled);
            for index in (0..clients.len()).rev().filter(|index| ready[index + 1]) {
                let channel = &clients[index].channel;
                let kept = match channel.receive::<Request>() {
                    Ok(Some((Request::Release, _))) => {
                        let _ = channel.send(&Answer::Done, &[]);
                        return Ok(());
                    }
                    Ok(Some((Request::Outputs, _))) => channel
                        .send(&Answer::Ended(ended.clone()), &directories)
                        .is_ok(),
                    Ok(Some((_, _))) => channel.send(&Answer::Ended(ended.clone()), &[]).is_ok(),
                    Err(error) => channel
                        .send(
                            &Answer::Refused {
                                what: error.to_string(),
                            },
                            &[],
                        )
                        .is_ok(),
                    Ok(None) => false,
                };
                if !kept {
                    clients.swap_remove(index);
                }
            }
            if ready[0] {
                clients.push(Client::new(listener::client(listener)?));
            }
        }
    }
}
