//! What a test that fails leaves: jobs, whose watchers would wait for somebody to take their outputs.

use std::time::Duration;

use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::sandbox::Sandbox;

/// Ends and removes all jobs.
pub(crate) fn end_all(sandbox: &Sandbox) {
    for name in sandbox.state().names().unwrap_or_default() {
        let _ = sandbox.kill(&name, KillReason::Cancelled, Duration::ZERO);
        let _ = sandbox.wait(&name);
        let _ = sandbox.remove(&name);
    }
}
