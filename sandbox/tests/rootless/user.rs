//! A test's body as a user without privileges, with a sandbox of that user.

use std::env;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use gradus_sandbox::job::{Input, Job, Limits, Network, Output as Taken, ScratchKind};
use gradus_sandbox::logs::{Reader, Stream};
use gradus_sandbox::protocol::Ended;
use gradus_sandbox::sandbox::Sandbox;

use crate::end_all::end_all;

use crate::program::probe;

/// Nobody's id, on this host or another.
pub(crate) const USER: u32 = 64_321;
/// Of what the user has, and its jobs may not see.
pub(crate) const SECRET: &str = "canary-of-the-user";

const PLACE: &str = "GRADUS_ROOTLESS_PLACE";
const GROUP: &str = "GRADUS_ROOTLESS_GROUP";

/// Runs `body` as a user without privileges, in a process of its own if need be. `test` is the test's full name.
pub(crate) fn as_user(test: &str, body: impl FnOnce(&Home)) {
    as_user_in(None, test, body);
}

/// The same, in the control group `group`, which is that user's.
pub(crate) fn as_user_in(group: Option<&Path>, test: &str, body: impl FnOnce(&Home)) {
    if let Some(place) = env::var_os(PLACE) {
        return inside(&PathBuf::from(place), test, body);
    }
    let Some(busybox) = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).exists())
    else {
        eprintln!("SKIPPED: this test needs busybox (package busybox-static)");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    set_up(place.path(), busybox);
    if !rustix::process::geteuid().is_root() {
        return body(&Home::open(place.path()));
    }
    // Where tests are built the user may have no way.
    let copy = place.path().join("test");
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&copy);
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(PLACE, place.path());
    match group {
        Some(group) => command.env(GROUP, group),
        None => command.uid(USER).gid(USER),
    };
    let Output {
        status,
        stdout,
        stderr,
    } = loop {
        match command.output() {
            // A process that another test is just starting still holds the copy's descriptor.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            other => break other.unwrap(),
        }
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    eprintln!("{stderr}");
    assert!(status.success(), "{status}\n{stdout}");
    // Otherwise no test has this name, and none was run.
    assert!(stdout.contains("1 passed"), "{stdout}");
}

fn set_up(place: &Path, busybox: &str) {
    fs::set_permissions(place, Permissions::from_mode(0o755)).unwrap();
    let bin = place.join("rootfs/bin");
    for folder in ["bin", "in", "out", "tmp", "etc"] {
        fs::create_dir_all(place.join("rootfs").join(folder)).unwrap();
    }
    fs::copy(busybox, bin.join("busybox")).unwrap();
    for applet in ["sh", "id", "cat", "sleep", "dd", "setsid", "echo", "mount"] {
        symlink("busybox", bin.join(applet)).unwrap();
    }
    fs::copy(probe(), bin.join("probe")).unwrap();
    fs::copy(probe(), bin.join("setuid")).unwrap();
    fs::set_permissions(bin.join("setuid"), Permissions::from_mode(0o6755)).unwrap();
    let home = place.join("home");
    fs::create_dir_all(home.join("input")).unwrap();
    fs::write(home.join("input/data"), "an input").unwrap();
    fs::write(home.join("secret"), SECRET).unwrap();
    if rustix::process::geteuid().is_root() {
        for path in ["", "input", "input/data", "secret"] {
            chown(home.join(path), Some(USER), Some(USER)).unwrap();
        }
    }
}

/// In the process of its own.
fn inside(place: &Path, test: &str, body: impl FnOnce(&Home)) {
    let Some(group) = env::var_os(GROUP) else {
        return body(&Home::open(place));
    };
    // Still as root: a process enters a group only from one that its user has, too.
    fs::write(Path::new(&group).join("cgroup.procs"), "0").unwrap();
    let error = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env_remove(GROUP)
        .uid(USER)
        .gid(USER)
        .exec();
    panic!("{error}");
}

/// What the user has.
pub(crate) struct Home {
    place: PathBuf,
    pub(crate) sandbox: Sandbox,
}

impl Home {
    fn open(place: &Path) -> Home {
        assert!(!rustix::process::geteuid().is_root());
        Home {
            place: place.to_owned(),
            sandbox: Sandbox::open(&place.join("home/state")).unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// The shell script as a job that may lack what this host cannot give.
    pub(crate) fn job(&self, name: &str, script: &str) -> Job {
        self.program(name, &["/bin/sh", "-c", script])
    }

    /// A program and its arguments as such a job.
    pub(crate) fn program(&self, name: &str, argv: &[&str]) -> Job {
        Job {
            name: name.to_owned(),
            layers: vec![self.path("rootfs")],
            writable_root: true,
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: vec!["PATH=/bin".to_owned()],
            cwd: "/".to_owned(),
            uid: 0,
            gid: 0,
            inputs: vec![Input {
                host: self.path("home/input"),
                inside: "/in".to_owned(),
            }],
            outputs: vec![Taken {
                name: "model".to_owned(),
                inside: "/out".to_owned(),
            }],
            network: Network::default(),
            scratch: ScratchKind::Auto,
            limits: Limits {
                memory_bytes: 64 << 20,
                pids: 64,
                disk_bytes: 8 << 20,
                disk_inodes: 1000,
                wall: Some(Duration::from_secs(60)),
                grace: Duration::from_millis(100),
                ..Limits::default()
            },
            best_effort: true,
            record_refused: false,
        }
    }

    /// Runs it to its end: how, and what it has printed. It is kept.
    pub(crate) fn run(&self, job: &Job) -> (Ended, String) {
        let mut started = self
            .sandbox
            .start(job)
            .unwrap_or_else(|error| panic!("{error:?}"));
        let ended = started.wait().unwrap();
        assert_eq!(ended.left, [""; 0], "{ended:?}");
        (ended, self.printed(&job.name))
    }

    fn printed(&self, name: &str) -> String {
        let mut reader = Reader::open(&self.sandbox.state().directory(name)).unwrap();
        let mut bytes = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            if record.stream == Stream::Output {
                bytes.extend(record.bytes);
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Home {
    /// A test that fails leaves jobs.
    fn drop(&mut self) {
        end_all(&self.sandbox);
    }
}
