//! Watchers are children of whoever started them, and outlive what that knows of them: they are waited for when there is time.

use std::io;
use std::process::Child;
use std::sync::{Mutex, PoisonError};

/// Watchers that nobody here holds any more and that lived when they were let go.
static LET_GO: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// A watcher that this process has started.
#[derive(Debug)]
pub(super) struct Watcher {
    child: Option<Child>,
}

impl Watcher {
    pub(super) fn new(child: Child) -> Watcher {
        Watcher { child: Some(child) }
    }

    /// Waits until it has ended: how, in words.
    pub(super) fn wait(&mut self) -> io::Result<String> {
        match &mut self.child {
            Some(child) => child.wait().map(|status| status.to_string()),
            None => Ok("is waited for elsewhere".to_owned()),
        }
    }

    pub(super) fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take()
            && matches!(child.try_wait(), Ok(None))
        {
            let mut let_go = LET_GO.lock().unwrap_or_else(PoisonError::into_inner);
            let_go.push(child);
        }
    }
}

/// Waits for watchers that were let go and have ended since.
pub(super) fn reap() {
    let mut let_go = LET_GO.lock().unwrap_or_else(PoisonError::into_inner);
    let_go.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}
