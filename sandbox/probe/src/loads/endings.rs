//! Ends: refused, forged, survived.

use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::call::{forked, waited};

fn ignore_all() {
    for signal in 1..=64 {
        // SAFETY: to ignore a signal runs no function; those that cannot be ignored are refused.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

fn pause_for_ever() -> ! {
    loop {
        // SAFETY: no memory is passed.
        unsafe { libc::pause() };
    }
}

/// Waits to be told to end, says so, and ends as it should.
pub(crate) fn save_at_the_end(_: &Arguments) -> ExitCode {
    let mut signals = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut signal = 0;
    // SAFETY: `sigemptyset` writes the whole set before it is read; the program has one thread.
    unsafe {
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGTERM);
        libc::sigprocmask(libc::SIG_BLOCK, signals.as_ptr(), std::ptr::null_mut());
        println!("waiting");
        libc::sigwait(signals.as_ptr(), &raw mut signal);
    }
    println!("saved at signal {signal}");
    ExitCode::SUCCESS
}

/// Ignores every signal that it can, and stays.
pub(crate) fn ignore_signals(_: &Arguments) -> ExitCode {
    ignore_all();
    println!("ignoring");
    pause_for_ever()
}

/// `processes=` daemons, each in a session of its own, children of nobody.
fn start_daemons(arguments: &Arguments, work: fn() -> i32) -> u64 {
    let mut made = 0;
    for _ in 0..arguments.number("processes", 300) {
        let middle = forked(|| {
            let daemon = forked(|| {
                // SAFETY: no memory is passed.
                unsafe { libc::setsid() };
                ignore_all();
                work()
            });
            i32::from(daemon.is_err())
        });
        made += u64::from(middle.map(waited) == Ok(0));
    }
    made
}

/// Starts them, and stays with `stay`, else ends.
pub(crate) fn daemons(arguments: &Arguments) -> ExitCode {
    let made = start_daemons(arguments, || pause_for_ever());
    println!("daemons {made}");
    if arguments.get("stay").is_some() {
        ignore_all();
        pause_for_ever()
    }
    ExitCode::SUCCESS
}

/// Daemons that replace themselves all the time: whoever kills by a list of processes always comes too late.
pub(crate) fn forking_daemons(arguments: &Arguments) -> ExitCode {
    let made = start_daemons(arguments, || {
        loop {
            // SAFETY: this program has one thread.
            if unsafe { libc::fork() } > 0 {
                return 0;
            }
        }
    });
    println!("daemons {made}");
    ignore_all();
    pause_for_ever()
}

/// Writes to address 0.
pub(crate) fn segfault(_: &Arguments) -> ExitCode {
    // SAFETY: it is not; that is what it is for.
    unsafe { std::ptr::null_mut::<u8>().write_volatile(1) };
    ExitCode::SUCCESS
}

/// `number=` children that nobody waits for but the first process; then exits with 6.
pub(crate) fn zombies(arguments: &Arguments) -> ExitCode {
    let mut made = 0_u64;
    for _ in 0..arguments.number("number", 2000) {
        // SAFETY: this program has one thread.
        match unsafe { libc::fork() } {
            // It leaves an orphan that ends at once.
            0 => {
                // SAFETY: as above, and nothing of this process is needed any more.
                unsafe {
                    libc::fork();
                    libc::_exit(0)
                }
            }
            -1 => {}
            _ => made += 1,
        }
        // SAFETY: no status is asked for.
        unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
    }
    println!("made {made}");
    ExitCode::from(6)
}

/// Signals to the first process, as many as its queue takes and more, for `ms=`; then exits with 7.
pub(crate) fn signal_flood(arguments: &Arguments) -> ExitCode {
    let until =
        std::time::Instant::now() + std::time::Duration::from_millis(arguments.number("ms", 500));
    ignore_all();
    let mut sent = 0_u64;
    while std::time::Instant::now() < until {
        for signal in 1..=64 {
            // SAFETY: no memory is passed.
            sent += u64::from(unsafe { libc::kill(1, signal) } == 0);
        }
    }
    println!("sent {sent}");
    ExitCode::from(7)
}

/// Tries to tell the first process's peer how it ended, by every descriptor of every process that it can open.
pub(crate) fn forge(_: &Arguments) -> ExitCode {
    let message = br#"{"Ended":{"Exited":0}}"#;
    let mut opened = 0;
    for process in ["1", "self", "2"] {
        for fd in 0..64 {
            let file = format!("/proc/{process}/fd/{fd}");
            if fd > 2
                && let Ok(file) = std::fs::OpenOptions::new().write(true).open(&file)
            {
                opened += i32::from(std::io::Write::write_all(&mut &file, message).is_ok());
            }
        }
    }
    println!("opened {opened}");
    ExitCode::from(8)
}

/// Waits until the file `path=` has the text `text=`, for `ms=`; whether it came.
pub(crate) fn wait_for(arguments: &Arguments) -> ExitCode {
    let until =
        std::time::Instant::now() + std::time::Duration::from_millis(arguments.number("ms", 3000));
    println!("waiting");
    let (path, text) = (
        arguments.get("path").unwrap_or("/nothing"),
        arguments.get("text").unwrap_or(""),
    );
    while std::time::Instant::now() < until {
        if std::fs::read_to_string(path).is_ok_and(|found| found.contains(text)) {
            println!("came");
            return ExitCode::SUCCESS;
        }
        // SAFETY: no memory is passed.
        unsafe { libc::usleep(10_000) };
    }
    println!("did not come");
    ExitCode::SUCCESS
}
