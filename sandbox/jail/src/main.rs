//! The watcher of one job. Started by gradus alone: with the channel to report on as standard input.

use std::os::fd::AsFd;
use std::process::ExitCode;

fn main() -> ExitCode {
    let report = std::io::stdin().as_fd().try_clone_to_owned();
    let watched = report.and_then(gradus_jail::watcher::run);
    match watched {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "gradus-jail: {error}; it is started by gradus, not by hand: see `gradus sandbox run --help`"
            );
            ExitCode::FAILURE
        }
    }
}
