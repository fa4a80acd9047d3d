//! A sandbox with a root of one program, the probe, and what is looked at when a job of it has ended.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gradus_sandbox::job::{Input, Job, Limits, Network, Output, ScratchKind};
use gradus_sandbox::logs::{Reader, Stream};
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::{Ended, KillReason};
use gradus_sandbox::sandbox::Sandbox;

use super::end_all::end_all;
use super::program::probe;
use super::remains::{Traces, assert_nothing_remains};

/// What a job that nobody may see has among its files.
pub(crate) const OTHERS_SECRET: &str = "canary-of-another-job";
/// What the host has.
pub(crate) const HOSTS_SECRET: &str = "canary-of-the-host";

pub(crate) struct Arena {
    dir: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
}

/// A job that has ended and is removed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ended: Ended,
    /// what it printed to standard output
    pub(crate) text: String,
    pub(crate) took: Duration,
}

impl Arena {
    /// None, said aloud, where this host cannot run it.
    pub(crate) fn new() -> Option<Arena> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: hostile jobs are tried with the isolation that only root can give");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        // Whoever gets out finds the doors open: what keeps the job from the secrets must be the sandbox.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let root = dir.path().join("root");
        for folder in ["bin", "in", "out", "tmp", "etc", "proc", "dev"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::set_permissions(root.join("tmp"), Permissions::from_mode(0o1777)).unwrap();
        fs::copy(probe(), root.join("bin/probe")).unwrap();
        fs::copy(probe(), root.join("bin/setuid")).unwrap();
        fs::set_permissions(root.join("bin/setuid"), Permissions::from_mode(0o6755)).unwrap();
        fs::create_dir(dir.path().join("input")).unwrap();
        fs::write(dir.path().join("input/data"), "an input").unwrap();
        fs::write(dir.path().join("host-canary"), HOSTS_SECRET).unwrap();
        fs::create_dir(dir.path().join("other")).unwrap();
        fs::write(dir.path().join("other/secret"), OTHERS_SECRET).unwrap();
        let sandbox = Sandbox::open(&dir.path().join("state")).unwrap();
        Some(Arena { dir, sandbox })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.sandbox.state().directory(name)
    }

    /// The attack as a job with tight limits, which may write everywhere.
    pub(crate) fn job(&self, name: &str, attack: &[&str]) -> Job {
        let argv = ["/bin/probe"].iter().chain(attack);
        Job {
            name: name.to_owned(),
            layers: vec![self.path("root")],
            writable_root: true,
            argv: argv.map(|word| (*word).to_owned()).collect(),
            env: vec!["PATH=/bin".to_owned()],
            cwd: "/".to_owned(),
            uid: 0,
            gid: 0,
            inputs: vec![Input {
                host: self.path("input"),
                inside: "/in".to_owned(),
            }],
            network: Network::default(),
            outputs: vec![Output {
                name: "model".to_owned(),
                inside: "/out".to_owned(),
            }],
            scratch: ScratchKind::Disk,
            limits: Limits {
                memory_bytes: 64 << 20,
                pids: 64,
                disk_bytes: 32 << 20,
                disk_inodes: 1000,
                shm_bytes: 4 << 20,
                open_files: 512,
                wall: Some(Duration::from_secs(30)),
                grace: Duration::from_millis(100),
                log_bytes: 4 << 20,
                ..Limits::default()
            },
            best_effort: false,
            record_refused: false,
        }
    }

    /// Runs it to its end and removes it; nothing may be left.
    pub(crate) fn run(&self, job: &Job) -> Ran {
        self.run_with(job, |_| {})
    }

    /// The same, with something done while it runs.
    pub(crate) fn run_with(&self, job: &Job, meanwhile: impl FnOnce(&Sandbox)) -> Ran {
        let begun = Instant::now();
        let mut started = self
            .sandbox
            .start(job)
            .unwrap_or_else(|error| panic!("{error:?}"));
        meanwhile(&self.sandbox);
        let ended = started.wait().unwrap();
        let took = begun.elapsed();
        assert_eq!(ended.left, [""; 0], "{ended:?}");
        let text = self.printed(&job.name);
        self.remove(&job.name);
        Ran { ended, text, took }
    }

    /// Asks for a job's end.
    pub(crate) fn end(&self, name: &str) {
        let cancelled = KillReason::Cancelled;
        self.sandbox.kill(name, cancelled, Duration::ZERO).unwrap();
    }

    /// What a job has printed to standard output, as far as it was kept.
    pub(crate) fn printed(&self, name: &str) -> String {
        let mut reader = Reader::open(&self.directory(name)).unwrap();
        let mut bytes = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            if record.stream == Stream::Output {
                bytes.extend(record.bytes);
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Removes a job that has ended, and looks for what it may have left.
    #[track_caller]
    pub(crate) fn remove(&self, name: &str) {
        let traces = Traces::of(&self.sandbox, name);
        self.sandbox.remove(name).unwrap();
        assert_nothing_remains(&traces);
        assert_eq!(
            fs::read_to_string(self.path("host-canary")).unwrap(),
            HOSTS_SECRET
        );
        assert_eq!(
            fs::read_to_string(self.path("other/secret")).unwrap(),
            OTHERS_SECRET
        );
        assert_eq!(
            fs::read_to_string(self.path("input/data")).unwrap(),
            "an input"
        );
        assert!(
            !self.path("root/probe-big").exists(),
            "a layer was written to"
        );
    }

    /// Blocks on disk of all that is in the state directory, bytes.
    pub(crate) fn disk_bytes(&self) -> u64 {
        blocks(&self.path("state"))
    }
}

fn blocks(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            let below = if meta.is_dir() {
                blocks(&entry.path())
            } else {
                0
            };
            Some(meta.blocks() * 512 + below)
        })
        .sum()
}

impl Ran {
    #[track_caller]
    pub(crate) fn exited(&self, code: i32) -> &Ran {
        self.ended_as(&Outcome::Exited { code })
    }

    #[track_caller]
    pub(crate) fn ended_as(&self, outcome: &Outcome) -> &Ran {
        assert_eq!(
            self.ended.outcome, *outcome,
            "{:?}, it printed: {}",
            self.ended, self.text
        );
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Ran {
        assert!(
            self.text.contains(text),
            "{text:?} is not in: {}",
            self.text
        );
        self
    }

    /// The number after `word`.
    #[track_caller]
    pub(crate) fn number_after(&self, word: &str) -> u64 {
        let mut words = self.text.split_whitespace();
        let number = words.find(|it| *it == word).and_then(|_| words.next());
        let number = number.map(|number| number.trim_end_matches(','));
        match number.and_then(|number| number.parse().ok()) {
            Some(number) => number,
            None => panic!("no number after {word:?} in: {}", self.text),
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        end_all(&self.sandbox);
    }
}
