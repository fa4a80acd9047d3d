//! What is asked of a watcher while its job runs.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

use super::super::ending::Cause;
use super::super::journal;
use super::Watch;
use crate::protocol::{Answer, Beside, KillReason, Open, Report, Request};

/// How long the kernel may take to stop all processes.
const PAUSED_WITHIN: Duration = Duration::from_secs(5);

impl Watch {
    /// Answers the client `index`, or does what will be answered later.
    pub(super) fn answer(&mut self, index: usize) -> io::Result<()> {
        let client = &mut self.clients[index];
        let answer = match client.channel.receive::<Request>() {
            Ok(Some((Request::Kill { reason, grace_ms }, _))) => {
                let cause = match reason {
                    KillReason::Cancelled => Cause::Cancelled,
                    KillReason::GpuMemory => Cause::GpuMemory,
                };
                self.stop(cause, Duration::from_millis(grace_ms))?;
                Answer::Done
            }
            Ok(Some((Request::Wait, _))) => {
                client.waits = true;
                return Ok(());
            }
            Ok(Some((Request::Start, _))) if self.running.held => {
                client.starts = true;
                // One that is gone is seen next.
                let _ = self.running.channel.send(&Open, &[]);
                return Ok(());
            }
            Ok(Some((Request::Start, _))) => refused("its program has been started already"),
            Ok(Some((Request::Signal { signal }, _))) => self.signal(signal)?,
            Ok(Some((Request::Beside { process }, streams))) => {
                if self.running.held || !self.runs_others || streams.len() != 3 {
                    refused("only beside a bundle's program that runs, with three streams")
                } else {
                    self.besides += 1;
                    client.beside = Some(self.besides);
                    let id = self.besides;
                    let streams: Vec<_> = streams.iter().map(AsFd::as_fd).collect();
                    // One that is gone is seen next.
                    let _ = self.running.channel.send(&Beside { id, process }, &streams);
                    return Ok(());
                }
            }
            Ok(Some((Request::Pause, _))) => self.pause(true),
            Ok(Some((Request::Resume, _))) => self.pause(false),
            Ok(Some((Request::Outputs | Request::Release, _))) => Answer::Running,
            Err(error) => Answer::Refused {
                what: error.to_string(),
            },
            Ok(None) => {
                self.clients.swap_remove(index);
                return Ok(());
            }
        };
        if self.clients[index].channel.send(&answer, &[]).is_err() {
            self.clients.swap_remove(index);
        }
        Ok(())
    }

    /// The program that waited runs.
    pub(super) fn started(&mut self) -> io::Result<()> {
        self.running.held = false;
        journal(&Report::Started(self.running.identity.clone()))?;
        self.clients.retain_mut(|client| {
            !std::mem::take(&mut client.starts) || client.channel.send(&Answer::Done, &[]).is_ok()
        });
        Ok(())
    }

    /// Sends `signal` to the program, of the first process nothing reaches it. One that waits to be started has no say in what becomes of it.
    fn signal(&mut self, signal: i32) -> io::Result<Answer> {
        let Some(named) = Signal::from_named_raw(signal) else {
            return Ok(refused(&format!("{signal} is no signal of a program")));
        };
        match named {
            Signal::STOP => {
                return Ok(refused(
                    "SIGSTOP reaches no process by way of another: pause it",
                ));
            }
            Signal::KILL => self.kill()?,
            Signal::CHILD | Signal::CONT | Signal::URG | Signal::WINCH if self.running.held => {}
            _ if self.running.held => self.kill()?,
            _ => {
                let _ = pidfd_send_signal(&self.running.program, named);
            }
        }
        Ok(Answer::Done)
    }

    fn pause(&self, pause: bool) -> Answer {
        let Some(group) = &self.running.group else {
            return refused("this job has no control groups");
        };
        let done = if pause {
            group.freeze(PAUSED_WITHIN)
        } else {
            group.thaw()
        };
        match done {
            Ok(()) => Answer::Done,
            Err(error) => refused(&error.to_string()),
        }
    }
}

fn refused(what: &str) -> Answer {
    Answer::Refused {
        what: what.to_owned(),
    }
}
