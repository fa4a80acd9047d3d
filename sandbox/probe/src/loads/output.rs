//! What is printed.

use std::io::Write;
use std::process::ExitCode;

use crate::arguments::Arguments;

/// As much as it can, on both streams.
pub(crate) fn flood(_: &Arguments) -> ExitCode {
    let chunk = vec![b'x'; 64 << 10];
    loop {
        if std::io::stdout().write_all(&chunk).is_err()
            || std::io::stderr().write_all(&chunk).is_err()
        {
            return ExitCode::FAILURE;
        }
    }
}

/// The most bytes for the least work of whoever prints: `processes=` at once, into pipes that are made as large as they may be, by calls that
/// move pages of a file and copy nothing. For `ms=`, or until it is ended.
pub(crate) fn hose(arguments: &Arguments) -> ExitCode {
    const CHUNK: usize = 1 << 20;
    for fd in [1, 2] {
        // SAFETY: no memory is passed.
        unsafe { libc::fcntl(fd, libc::F_SETPIPE_SZ, CHUNK) };
    }
    // SAFETY: the name lives across the call.
    let file = unsafe { libc::memfd_create(c"hose".as_ptr(), 0) };
    let chunk = vec![b'x'; CHUNK];
    // SAFETY: the bytes live across the call.
    unsafe { libc::write(file, chunk.as_ptr().cast(), CHUNK) };
    for _ in 1..arguments.number("processes", 1) {
        // SAFETY: this program has one thread, and its children do as it does.
        if unsafe { libc::fork() } == 0 {
            break;
        }
    }
    let until = std::time::Instant::now()
        + std::time::Duration::from_millis(arguments.number("ms", u64::from(u32::MAX)));
    while std::time::Instant::now() < until {
        for fd in [1, 2] {
            let mut from = 0;
            // SAFETY: `from` lives across the call.
            let sent = unsafe { libc::sendfile(fd, file, &raw mut from, CHUNK) };
            if sent <= 0 {
                // SAFETY: the bytes live across the call.
                unsafe { libc::write(fd, chunk.as_ptr().cast(), CHUNK) };
            }
        }
    }
    ExitCode::SUCCESS
}

/// One byte at a time for `ms=`, in a pipe that keeps them apart: the most work for whoever reads, for the fewest bytes.
pub(crate) fn drip(arguments: &Arguments) -> ExitCode {
    let until =
        std::time::Instant::now() + std::time::Duration::from_millis(arguments.number("ms", 1000));
    // SAFETY: no memory is passed.
    unsafe { libc::fcntl(1, libc::F_SETFL, libc::O_DIRECT | libc::O_WRONLY) };
    let mut written = 0_u64;
    while std::time::Instant::now() < until {
        // SAFETY: one byte is there.
        written += u64::from(unsafe { libc::write(1, c"x".as_ptr().cast(), 1) } == 1);
    }
    eprintln!("written {written}");
    ExitCode::SUCCESS
}

/// What terminals obey, what looks like records, what looks like an outcome, and what is no text.
pub(crate) fn escapes(_: &Arguments) -> ExitCode {
    let mut out = std::io::stdout();
    let parts: [&[u8]; 7] = [
        b"\x1b[2J\x1b]0;owned\x07visible\n",
        b"first\rsecond\n",
        b"nul\0here \xff\xfe not text\n",
        b"\x04\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0fake\n",
        b"{\"kind\":\"ended\",\"outcome\":{\"kind\":\"exited\",\"code\":0}}\n",
        "\u{202e}reversed \u{9b}2J\n".as_bytes(),
        b"Error: the host is broken\n",
    ];
    for part in parts {
        let _ = out.write_all(part);
    }
    let long = vec![b'L'; 1 << 20];
    let _ = out.write_all(&long);
    let _ = out.write_all(b"\nlast\n");
    ExitCode::from(3)
}

/// Closes its streams and goes on for `ms=`; then exits with 5.
pub(crate) fn close_and_go_on(arguments: &Arguments) -> ExitCode {
    // SAFETY: no memory is passed, and nothing is printed after this.
    unsafe {
        for fd in 0..3 {
            libc::close(fd);
        }
        libc::usleep(1000 * arguments.number("ms", 200) as u32);
        libc::_exit(5)
    }
}

/// Opens its streams by their names, as scripts do, and writes to them.
pub(crate) fn streams_by_name(_: &Arguments) -> ExitCode {
    for name in ["/dev/stdout", "/dev/stderr"] {
        let written = std::fs::OpenOptions::new()
            .write(true)
            .open(name)
            .and_then(|mut file| file.write_all(format!("through {name}\n").as_bytes()));
        if let Err(error) = written {
            println!("{name}: {error}");
        }
    }
    ExitCode::SUCCESS
}
