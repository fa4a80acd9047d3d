//! Pipes that are read to their end, and how much of them is kept.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long output may still arrive after the last process of the group is gone: somebody who left it may hold the pipe.
const DRAIN: Duration = Duration::from_millis(200);

/// What is read of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Its standard output; its standard error is this process's own.
    Stdout,
    /// Both, in one sequence as they come.
    Both,
}

/// What becomes of output above the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It is read and dropped, and the program goes on.
    Drop,
    /// It ends the program.
    End,
}

/// What a program printed. A thread holds a clone for as long as its pipe is open.
#[derive(Clone)]
pub(crate) struct Output {
    kept: Arc<Mutex<Kept>>,
    bytes_max: usize,
}

/// Bytes in order, and whether there were more.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    pub(crate) exceeded: bool,
}

impl Output {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            kept: Arc::default(),
            bytes_max,
        }
    }

    /// Reads a pipe to its end, in a thread.
    pub(crate) fn collect(&self, mut pipe: impl Read + Send + 'static) {
        let output = self.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            loop {
                let read = match pipe.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(read) => read,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    // A pipe that was opened has no other; what came is what there is.
                    Err(_) => return,
                };
                let mut kept = output.kept.lock().expect("nobody panics with it");
                let room = output.bytes_max - kept.bytes.len();
                kept.bytes.extend_from_slice(&buffer[..read.min(room)]);
                kept.exceeded |= read > room;
            }
        });
    }

    /// Whether there was more than is kept.
    pub(crate) fn exceeded(&self) -> bool {
        self.kept.lock().expect("nobody panics with it").exceeded
    }

    /// What came, once the pipes are closed or nobody is left to wait for.
    pub(crate) fn take(self) -> Kept {
        let until = Instant::now() + DRAIN;
        while Arc::strong_count(&self.kept) > 1 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut kept = self.kept.lock().expect("nobody panics with it");
        // Who still holds a pipe is read on, and finds no room.
        let bytes = std::mem::take(&mut kept.bytes);
        let exceeded = kept.exceeded;
        Kept { bytes, exceeded }
    }
}
