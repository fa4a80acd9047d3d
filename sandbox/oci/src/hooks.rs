//! Programs of the host that a bundle has run for it, with the rights of whoever runs this, who could run them without it.
//!
//! Those of `startContainer` are run inside, by the job, with its rights; they are in its plan.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::config::Hook;
use crate::error::OciError;

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Runs `hooks` one after the other, each with `state` as its input. The first that fails is the last.
///
/// # Errors
/// `Hook`, with what became of it.
pub fn run(kind: &'static str, hooks: &[Hook], state: &str) -> Result<(), OciError> {
    for (index, hook) in hooks.iter().enumerate() {
        let failed = |what: String| OciError::Hook {
            kind,
            index,
            program: hook.path.display().to_string(),
            what,
        };
        let mut command = Command::new(&hook.path);
        if let Some(name) = hook.args.first() {
            command.arg0(name);
        }
        command
            .args(hook.args.iter().skip(1))
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        for variable in hook.env.iter().flatten() {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            if !name.is_empty() {
                command.env(name, value);
            }
        }
        let mut child = command
            .spawn()
            .map_err(|error| failed(format!("cannot be run: {error}")))?;
        if let Some(mut input) = child.stdin.take() {
            // A hook that does not want to know is not told.
            let _ = input.write_all(state.as_bytes());
        }
        let timeout = hook
            .timeout
            .map(|seconds| Duration::from_secs(seconds.into()));
        match wait(&mut child, timeout) {
            Ok(Some(status)) if status.success() => {}
            Ok(Some(status)) => return Err(failed(format!("ended with {status}"))),
            Ok(None) => return Err(failed("has taken longer than its timeout".to_owned())),
            Err(error) => return Err(failed(format!("cannot be waited for: {error}"))),
        }
    }
    Ok(())
}

/// How it ended; none where it did not in time, and was ended.
fn wait(child: &mut Child, timeout: Option<Duration>) -> std::io::Result<Option<ExitStatus>> {
    let Some(timeout) = timeout else {
        return child.wait().map(Some);
    };
    let until = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
