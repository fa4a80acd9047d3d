//! Memory, processes, processors.

use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::call::{errno, forked, name_of, waited};

/// Forks as often as it can for `ms=`, every child too; then says how often it was refused.
pub(crate) fn forks(arguments: &Arguments) -> ExitCode {
    let until =
        std::time::Instant::now() + std::time::Duration::from_millis(arguments.number("ms", 1000));
    println!("started");
    let (mut made, mut refused) = (0_u64, 0_u64);
    while std::time::Instant::now() < until {
        // SAFETY: this program has one thread.
        match unsafe { libc::fork() } {
            -1 => refused += 1,
            0 => loop {
                // SAFETY: as above.
                unsafe { libc::fork() };
            },
            _ => made += 1,
        }
    }
    println!("made {made} refused {refused}");
    ExitCode::SUCCESS
}

/// Takes and touches memory until it is killed.
pub(crate) fn memory(_: &Arguments) -> ExitCode {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(vec![1; 4 << 20]);
    }
}

/// Has a child killed for its memory, and says that all is well.
pub(crate) fn memory_of_a_child(arguments: &Arguments) -> ExitCode {
    if let Ok(child) = forked(|| {
        memory(arguments);
        0
    }) {
        waited(child);
    }
    println!("trained");
    ExitCode::SUCCESS
}

/// Fills pipes: their memory is the kernel's, and belongs to nobody's address space.
pub(crate) fn pipes(arguments: &Arguments) -> ExitCode {
    let (mut open, mut bytes) = (0_u64, 0_u64);
    let page = [1_u8; 4096];
    for _ in 0..arguments.number("processes", 8) {
        let child = forked(|| {
            let mut mine = 0;
            loop {
                let mut ends = [0; 2];
                // SAFETY: there is room for two descriptors.
                if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK) } == -1 {
                    break;
                }
                mine += 1;
                // SAFETY: it is open, and the page lives across the call.
                while unsafe { libc::write(ends[1], page.as_ptr().cast(), page.len()) } > 0 {}
            }
            println!("pipes {mine}, then {}", name_of(errno()));
            // SAFETY: no memory is passed.
            unsafe { libc::pause() };
            0
        });
        open += u64::from(child.is_ok());
        bytes += 1;
    }
    // SAFETY: as above.
    unsafe { libc::sleep(arguments.number("seconds", 1) as u32) };
    println!("processes {open} of {bytes}");
    ExitCode::SUCCESS
}

/// Writes a file larger than its memory, `bytes=`, `rounds=` times, and reads it back.
pub(crate) fn page_cache(arguments: &Arguments) -> ExitCode {
    let bytes = arguments.number("bytes", 32 << 20) as usize;
    let chunk = vec![7_u8; 1 << 20];
    let mut written = 0;
    for round in 0..arguments.number("rounds", 3) {
        let file = std::fs::File::create("/out/cache");
        let Ok(mut file) = file else { break };
        for _ in 0..bytes / chunk.len() {
            match std::io::Write::write_all(&mut file, &chunk) {
                Ok(()) => written += chunk.len(),
                Err(error) => {
                    println!("round {round}: {error}");
                    break;
                }
            }
        }
        let mut back = vec![0; 1 << 20];
        if let Ok(mut file) = std::fs::File::open("/out/cache") {
            while std::io::Read::read(&mut file, &mut back).is_ok_and(|bytes| bytes > 0) {}
        }
    }
    println!("written {written}");
    ExitCode::SUCCESS
}

/// Keeps `processes=` busy for `ms=`, with the highest priority it can have.
pub(crate) fn processors(arguments: &Arguments) -> ExitCode {
    let until =
        std::time::Instant::now() + std::time::Duration::from_millis(arguments.number("ms", 1000));
    let children: Vec<_> = (0..arguments.number("processes", 16))
        .map(|_| {
            forked(|| {
                let priority = libc::sched_param { sched_priority: 1 };
                // SAFETY: `priority` lives across the call.
                let fifo =
                    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
                while std::time::Instant::now() < until {
                    std::hint::black_box(fifo);
                }
                fifo + 1
            })
        })
        .collect();
    let realtime = children
        .into_iter()
        .flatten()
        .filter(|pid| libc::WEXITSTATUS(waited(*pid)) == 1)
        .count();
    println!("realtime {realtime}");
    ExitCode::SUCCESS
}
