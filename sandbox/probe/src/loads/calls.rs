//! System calls that a test names, each in a process of its own.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::call::{call, forked, waited};

/// A signal is told as this and its number.
const SIGNAL: i32 = 256;
/// How long a call may take, seconds.
const PATIENCE: u32 = 5;

/// Makes those of the file `from=`, a line each: number and six arguments. Answers with a line each: the error's number, 0 for none.
pub(crate) fn calls(arguments: &Arguments) -> ExitCode {
    let Some(text) = arguments
        .get("from")
        .and_then(|path| std::fs::read_to_string(path).ok())
    else {
        eprintln!("no calls");
        return ExitCode::FAILURE;
    };
    for line in text.lines() {
        let words: Option<Vec<usize>> = line.split(' ').map(|word| word.parse().ok()).collect();
        let Some([number, arguments @ ..]) = words.as_deref() else {
            eprintln!("no call: {line}");
            return ExitCode::FAILURE;
        };
        let Ok(arguments) = <[usize; 6]>::try_from(arguments) else {
            eprintln!("no call: {line}");
            return ExitCode::FAILURE;
        };
        let child = forked(|| {
            // SAFETY: no memory is passed.
            unsafe { libc::alarm(PATIENCE) };
            call(*number as libc::c_long, arguments).err().unwrap_or(0)
        });
        let Ok(child) = child else {
            eprintln!("no process");
            return ExitCode::FAILURE;
        };
        let status = waited(child);
        let answer = if libc::WIFSIGNALED(status) {
            SIGNAL + libc::WTERMSIG(status)
        } else {
            libc::WEXITSTATUS(status)
        };
        println!("ANSWER {answer}");
    }
    ExitCode::SUCCESS
}

/// Asks for what nobody is given, as fast as it can, for `ms=`: with other arguments each time, and numbers that nobody has heard of.
pub(crate) fn refused_flood(arguments: &Arguments) -> ExitCode {
    let until = Instant::now() + Duration::from_millis(arguments.number("ms", 1000));
    let (mut asked, mut made) = (0_usize, 0);
    while Instant::now() < until {
        let number = if asked.is_multiple_of(2) {
            libc::SYS_ptrace
        } else {
            1000 + (asked % 100_000) as libc::c_long
        };
        made += usize::from(call(number, [usize::MAX, asked, asked, 0, 0, 0]).is_ok());
        asked += 1;
    }
    println!("asked {asked} made {made}");
    ExitCode::SUCCESS
}
