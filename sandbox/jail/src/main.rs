//! The watcher of one job. Started by gradus alone: with the channel to report on as standard input and the seccomp programs as standard
//! output.

use std::os::fd::AsFd;
use std::process::ExitCode;

fn main() -> ExitCode {
    let given = || {
        Ok((
            std::io::stdin().as_fd().try_clone_to_owned()?,
            std::io::stdout().as_fd().try_clone_to_owned()?,
        ))
    };
    let watched = given().and_then(|(report, filters)| gradus_jail::watcher::run(report, filters));
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
