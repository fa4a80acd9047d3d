//! Where a program waits that is to be started later, by those who first look at the job that it will run in.
//!
//! It waits as what it will be: its root, user, limits and filters are applied, and what is left is to become the program. The first process
//! waits for the watcher's word meanwhile, and both end with the watcher, as at any other time.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

use super::program::FromProgram;
use crate::channel::Channel;
use crate::outcome::{LaunchError, Stage};
use crate::protocol::{FromInside, Open};
use crate::step::At;

/// In the program's process: says that it waits, and returns when it is started. Where nobody can start it any more, it ends.
pub(super) fn wait(first: &Channel) {
    let told = first.send(&FromProgram::Waits, &[]).is_ok();
    if !(told && matches!(first.receive::<Open>(), Ok(Some(_)))) {
        std::process::exit(127);
    }
}

/// In the first process: waits for the watcher's word and passes it on; then the program runs, and the watcher knows. Returns as well when
/// the program's process has ended, which is seen next.
pub(super) fn keep(program: &Channel, watcher: &Channel) -> Result<(), LaunchError> {
    let gone = |what: &str| LaunchError {
        stage: Stage::Watcher,
        errno: 0,
        what: what.to_owned(),
    };
    let mut polled =
        [watcher.as_fd(), program.as_fd()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    rustix::io::retry_on_intr(|| poll(&mut polled, None))
        .at(Stage::Watcher, || "waiting to start the program")?;
    if polled[0].revents().is_empty() {
        // Killed, for lack of memory perhaps: it has nothing to say while it waits.
        return Ok(());
    }
    watcher
        .receive::<Open>()
        .at(Stage::Watcher, || "the watcher's word")?
        .ok_or_else(|| gone("the watcher is gone"))?;
    // One that has ended meanwhile is seen next.
    let _ = program.send(&Open, &[]);
    if let Some((FromProgram::Failed(error), _)) = program
        .receive::<FromProgram>()
        .at(Stage::Exec, || "the program's channel")?
    {
        return Err(error);
    }
    watcher
        .send(&FromInside::Started(None), &[])
        .at(Stage::Watcher, || "the watcher is gone")
}
