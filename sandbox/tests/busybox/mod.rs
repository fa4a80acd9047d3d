//! A sandbox with a root of one program, busybox, and jobs in it.

mod end_all;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use gradus_sandbox::job::{Job, Limits, Network, Output, ScratchKind};
use gradus_sandbox::protocol::Ended;
use gradus_sandbox::sandbox::Sandbox;

use end_all::end_all;

const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 19] = [
    "cat", "chmod", "cp", "dd", "echo", "grep", "head", "ln", "ls", "mkdir", "mkfifo", "mknod",
    "nc", "printf", "sh", "sleep", "tr", "truncate", "yes",
];

pub(crate) struct Busybox {
    dir: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
}

impl Busybox {
    /// None, said aloud, where this host cannot run it.
    pub(crate) fn new() -> Option<Busybox> {
        if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
            eprintln!("SKIPPED: this test needs root, and {BUSYBOX} (package busybox-static)");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("rootfs/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy(BUSYBOX, bin.join("busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", bin.join(applet)).unwrap();
        }
        let sandbox = Sandbox::open(&dir.path().join("state")).unwrap();
        Some(Busybox { dir, sandbox })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The shell script as a job with the output `model`, in `/out`.
    pub(crate) fn job(&self, name: &str, script: &str) -> Job {
        job_on(&self.path().join("rootfs"), name, script)
    }

    pub(crate) fn run(&self, job: &Job) -> Ended {
        let mut started = self.sandbox.start(job).unwrap();
        started.wait().unwrap()
    }

    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.sandbox.state().directory(name)
    }
}

/// The shell script as a job on `rootfs`, with the output `model`, in `/out`.
pub(crate) fn job_on(rootfs: &Path, name: &str, script: &str) -> Job {
    Job {
        name: name.to_owned(),
        layers: vec![rootfs.to_owned()],
        writable_root: true,
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec!["PATH=/bin".to_owned()],
        cwd: "/".to_owned(),
        uid: 0,
        gid: 0,
        inputs: Vec::new(),
        network: Network::default(),
        outputs: vec![Output {
            name: "model".to_owned(),
            inside: "/out".to_owned(),
        }],
        scratch: ScratchKind::Auto,
        limits: Limits::default(),
        best_effort: false,
        record_refused: false,
    }
}

impl Drop for Busybox {
    fn drop(&mut self) {
        end_all(&self.sandbox);
    }
}
