//! Jobs that are made first and started later, by whoever has looked at them meanwhile: what bundles of the Open Container Initiative are.
//!
//! The same launcher, watcher and jail as of any other job. What a bundle can ask for besides lowers what its job may do, or changes names
//! that only the job sees; the rights that it can have are those of a step of a build.

use std::time::{Duration, Instant};

use std::os::fd::BorrowedFd;

use gradus_jail::plan::{Bundled, Capability, Mount, Plan, Process, Rlimit};
use gradus_jail::protocol::{Answer, Request, Status};

use crate::job::Job;
use crate::sandbox::{More, Sandbox, SandboxError, Started};
use crate::seccomp::Policy;
use crate::seccomp::policy::{Answer as CallAnswer, Deny};
use crate::state::Phase;

/// What a bundle asks for besides what a job can ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// host name inside
    pub hostname: Option<String>,
    /// whether what it writes to its root goes to its one layer itself: that its owner is told of, and its disk is not bounded then
    pub in_place: bool,
    /// what is mounted into its root besides
    pub mounts: Vec<Mount>,
    /// hidden besides what is hidden from every job
    pub masked: Vec<String>,
    /// read-only besides what every job cannot write to
    pub read_only: Vec<String>,
    /// limits besides ours; of two for one resource the lower holds
    pub rlimits: Vec<Rlimit>,
    /// what its user 0 may do to its own files and processes
    pub capabilities: Vec<Capability>,
    /// permissions that new files lack
    pub umask: Option<u32>,
    /// which of the system calls that jobs make it does not
    pub calls: Calls,
    /// what the jail has for bundles alone
    pub bundled: Bundled,
}

/// Which system calls a bundle's job makes, of those that jobs make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Calls {
    /// all
    #[default]
    All,
    /// all but these
    Without(Vec<String>),
    /// these
    Only(Vec<String>),
}

impl Bundle {
    /// Adds it to the plan of its job.
    pub(crate) fn add_to(&self, plan: &mut Plan) {
        plan.held = true;
        plan.in_place = self.in_place;
        if let Some(hostname) = &self.hostname {
            plan.hostname.clone_from(hostname);
        }
        plan.mounts.extend(self.mounts.iter().cloned());
        for (ours, asked) in [
            (&mut plan.masked, &self.masked),
            (&mut plan.read_only, &self.read_only),
        ] {
            // Most of them every job has.
            let new: Vec<_> = asked.iter().filter(|path| !ours.contains(path)).collect();
            ours.extend(new.into_iter().cloned());
        }
        plan.rlimits.extend(self.rlimits.iter().cloned());
        plan.capabilities.clone_from(&self.capabilities);
        if let Some(umask) = self.umask {
            plan.process.umask = umask;
        }
        plan.bundled = Some(self.bundled.clone());
    }
}

impl Calls {
    /// What is added to the name of the policy's text; empty for a policy as it is.
    pub(crate) fn text(&self) -> String {
        match self {
            Calls::All => String::new(),
            narrower => format!("{narrower:?}"),
        }
    }

    /// Narrows `policy`.
    pub(crate) fn narrow(&self, mut policy: Policy) -> Policy {
        let goes = |call: &String| match self {
            Calls::All => false,
            Calls::Without(calls) => calls.contains(call),
            Calls::Only(calls) => !calls.contains(call),
        };
        let mut gone = Vec::new();
        for group in &mut policy.allow {
            gone.extend(group.calls.extract_if(.., |call| goes(call)));
        }
        policy.when.retain(|when| {
            if goes(&when.call) {
                gone.push(when.call.clone());
            }
            !goes(&when.call)
        });
        if !gone.is_empty() {
            policy.deny.push(Deny {
                group: "bundle".to_owned(),
                reason: "the bundle says so".to_owned(),
                answer: CallAnswer::Eperm,
                calls: gone,
            });
        }
        policy
    }
}

impl Sandbox {
    /// Makes `job` with all that is applied to it; its program waits until [`Sandbox::let_run`]. What fails leaves nothing.
    pub fn start_held(&self, job: &Job, bundle: &Bundle) -> Result<Started, SandboxError> {
        self.start_with(job, More::Bundle(bundle))
    }

    /// Starts the program of the job `name`, which waits. When this returns it runs.
    ///
    /// # Errors
    /// [`SandboxError::Launch`] if it cannot be run: the job has ended then.
    pub fn let_run(&self, name: &str) -> Result<(), SandboxError> {
        match self.ask_patiently(name, &Request::Start)? {
            Answer::Ended(ended) => match ended.outcome {
                gradus_jail::outcome::Outcome::LaunchFailed { error } => {
                    Err(SandboxError::Launch {
                        name: name.to_owned(),
                        source: error,
                    })
                }
                _ => Err(is_over(name)),
            },
            _ => Ok(()),
        }
    }

    /// Sends `signal` to the program of the job `name`. One that waits to be started is ended by whatever would end a program.
    pub fn signal(&self, name: &str, signal: i32) -> Result<(), SandboxError> {
        self.ask_patiently(name, &Request::Signal { signal })
            .map(drop)
    }

    /// Runs `process` beside the program of the job `name`, a bundle whose user is 0: how it ended. It has the job's user 0 and none of its
    /// capabilities.
    pub fn run_beside(
        &self,
        name: &str,
        process: Process,
        streams: [BorrowedFd<'_>; 3],
    ) -> Result<Status, SandboxError> {
        let request = Request::Beside { process };
        let refused = |what: String| SandboxError::Watcher {
            name: name.to_owned(),
            source: std::io::Error::other(what),
        };
        match self.ask_with(name, &request, &streams)?.0 {
            Answer::EndedBeside { status } => Ok(status),
            Answer::Refused { what } => Err(refused(what)),
            _ => Err(is_over(name)),
        }
    }

    /// Stops all processes of the job `name` where they are, or lets them go on. Its time runs all the same.
    pub fn pause(&self, name: &str, pause: bool) -> Result<(), SandboxError> {
        let request = if pause {
            Request::Pause
        } else {
            Request::Resume
        };
        self.ask_patiently(name, &request).map(drop)
    }

    /// The watcher's answer, of a job that runs; one that has just been made does not listen yet.
    fn ask_patiently(&self, name: &str, request: &Request) -> Result<Answer, SandboxError> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if self.state().record(name)?.phase != Phase::Running {
                return Err(is_over(name));
            }
            match self.ask(name, request) {
                Ok((Answer::Refused { what }, _)) => {
                    return Err(SandboxError::Watcher {
                        name: name.to_owned(),
                        source: std::io::Error::other(what),
                    });
                }
                Ok((answer, _)) => return Ok(answer),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

fn is_over(name: &str) -> SandboxError {
    SandboxError::Watcher {
        name: name.to_owned(),
        source: std::io::Error::other("its job has ended"),
    }
}
