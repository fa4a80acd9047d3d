//! Finds the `gradus` binary that belongs to this test run, and runs it.
//!
//! Cargo tells a test where a binary is only inside the binary's own package. Here it is looked for beside this test's
//! own executable, in the directory of the same profile, after `cargo build` has made sure that it is up to date.
//! `GRADUS_BIN` names another one, and nothing is built then.

use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The binary.
pub(crate) fn gradus() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("GRADUS_BIN") {
        Some(path) => PathBuf::from(path),
        None => built(),
    })
}

fn built() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("tests lie in <target>/<profile>/deps");
    let name = profile
        .file_name()
        .and_then(OsStr::to_str)
        .expect("profile directories have ASCII names");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "gradus", "--target-dir"]);
    cargo.arg(
        profile
            .parent()
            .expect("a profile's directory lies in the target directory"),
    );
    cargo.args(["--profile", if name == "debug" { "dev" } else { name }]);
    let status = cargo
        .current_dir(repository())
        .status()
        .expect("cargo runs");
    assert!(status.success(), "cargo build --package gradus: {status}");
    profile.join(format!("gradus{}", std::env::consts::EXE_SUFFIX))
}

/// The repository's root.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A path inside `examples/text`.
pub(crate) fn example(path: &str) -> PathBuf {
    repository().join("examples/text").join(path)
}

/// What a finished command left.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// The JSON lines of stderr.
    pub(crate) fn events(&self) -> Vec<Value> {
        let event = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        self.stderr.lines().map(event).collect()
    }

    /// Asserts that the command ended with `code`, and that its complaint holds every text.
    #[track_caller]
    pub(crate) fn complains(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        for text in texts {
            assert!(
                self.stderr.contains(text),
                "{text:?} is not in: {}",
                self.stderr
            );
        }
    }
}

/// Runs the binary to its end, in the repository, without the network.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Finished {
    finish(command().args(arguments))
}

/// The binary as a command that is yet to be started.
pub(crate) fn command() -> Command {
    let mut command = Command::new(gradus());
    command
        .current_dir(repository())
        .env("HF_HUB_OFFLINE", "1")
        .env_remove("HF_TOKEN")
        .env_remove("NO_COLOR");
    command
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Finished {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the command runs");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Finished {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// The same for what may be no text: a job prints what it likes.
pub(crate) fn finish_job(command: &mut Command) -> Finished {
    let output = command.output().expect("the command runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finished {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// Runs a command to its end, which is a good one; the most memory that it had, bytes.
#[cfg(target_os = "linux")]
pub(crate) fn peak_memory(command: &mut Command) -> u64 {
    use std::process::Stdio;
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // The peak never falls: the last look misses what a few milliseconds can add.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        if let Some(status) = child.try_wait().expect("the child is ours") {
            assert!(status.success(), "{status}");
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Names in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
