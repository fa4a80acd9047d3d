//! Ctrl-C: the first asks the work to stop, the second ends the process.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of an interrupted command: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Set once the user, or whoever supervises us, wants the work to stop.
#[derive(Clone, Debug)]
pub struct Interrupt {
    // A command has one; whatever waits somewhere may ask it for as long as the process lives.
    requested: &'static AtomicBool,
    // Nothing is asking for the flag: the first Ctrl-C ends the process.
    deaf: Arc<AtomicBool>,
}

impl Default for Interrupt {
    /// One that nobody sets.
    fn default() -> Self {
        Self {
            requested: Box::leak(Box::default()),
            deaf: Arc::default(),
        }
    }
}

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP. Without a handler (another one is installed) they end the process,
    /// which leaves no half-written file either.
    pub fn listen() -> Self {
        let interrupt = Self::default();
        let Self { requested, deaf } = interrupt.clone();
        let _ = ctrlc::set_handler(move || {
            if requested.swap(true, Ordering::SeqCst) || deaf.load(Ordering::SeqCst) {
                std::process::exit(i32::from(INTERRUPTED));
            }
            // Piped, stderr carries JSON lines; the `error` line that follows says it.
            if std::io::stderr().is_terminal() {
                let _ = writeln!(std::io::stderr(), "\nstopping (once more to stop at once)");
            }
        });
        interrupt
    }

    /// Whether to stop.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// What is set once it is to stop, for those who wait elsewhere.
    pub fn flag(&self) -> &'static AtomicBool {
        self.requested
    }

    /// Runs `work` that does not ask whether to stop, such as a transfer, which goes on where it was: Ctrl-C ends the
    /// process meanwhile.
    pub fn without_asking<T>(&self, work: impl FnOnce() -> T) -> T {
        self.deaf.store(true, Ordering::SeqCst);
        let result = work();
        self.deaf.store(false, Ordering::SeqCst);
        result
    }
}
