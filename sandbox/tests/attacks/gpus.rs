//! Jobs with GPUs: what they reach of a driver that is files, and what becomes of GPUs when they end. The management library says what a
//! test makes it say.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gradus_jail::cgroup::Backend;
use gradus_nvml_stub::driver::{DriverRoot, Gpu};
use gradus_sandbox::gpu::driver::Driver;
use gradus_sandbox::gpu::keeper::{Settings, keep, recover};
use gradus_sandbox::gpu::notes::{self, Note, Seen};
use gradus_sandbox::gpu::quarantine::Why;
use gradus_sandbox::gpu::told::{OnGpu, Told, Usage};
use gradus_sandbox::gpu::{Grant, Granted, Holds, Nvml, NvmlError, Request};
use gradus_sandbox::job::Job;
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::sandbox::{Sandbox, Started};
use gradus_sandbox::seccomp::Policy;

use super::arena::Arena;

const A: Gpu = Gpu {
    uuid: "GPU-aaaaaaaa-0000-0000-0000-000000000001",
    pci: "0000:1a:00.0",
    minor: 3,
};
/// The kernel's log under the name of a GPU: no job may open it, and its rules allow it to none.
const B: Gpu = Gpu {
    uuid: "GPU-bbbbbbbb-0000-0000-0000-000000000002",
    pci: "0000:2a:00.0",
    minor: 11,
};
const BASELINE: u64 = 4 << 20;
const GIB: u64 = 1 << 30;

/// A library that says what it is told to; idle where it is told nothing.
#[derive(Default)]
struct Says(Mutex<BTreeMap<String, Result<Usage, NvmlError>>>);

impl Says {
    fn says(&self, usage: Result<Usage, NvmlError>) {
        self.0.lock().unwrap().insert(A.uuid.to_owned(), usage);
    }

    /// These processes are on the first GPU, with so many bytes each.
    fn used(&self, processes: &[(u32, u64)]) {
        let on = |(pid, bytes): &(u32, u64)| OnGpu {
            pid: *pid,
            bytes: Some(*bytes),
        };
        self.says(Ok(Usage {
            used_bytes: BASELINE + processes.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            processes: processes.iter().map(on).collect(),
        }));
    }
}

impl Nvml for Says {
    fn gpus(&self) -> Result<Vec<Told>, NvmlError> {
        let told = |gpu: Gpu| Told {
            uuid: gpu.uuid.to_owned(),
            pci: gpu.pci.to_owned(),
            ..Told::default()
        };
        Ok([A, B].map(told).into())
    }

    fn usage(&self, uuid: &str) -> Result<Usage, NvmlError> {
        let idle = Usage {
            used_bytes: BASELINE,
            processes: Vec::new(),
        };
        self.0
            .lock()
            .unwrap()
            .get(uuid)
            .cloned()
            .unwrap_or(Ok(idle))
    }
}

struct Place {
    arena: Arena,
    root: DriverRoot,
    holds: Holds,
    says: Says,
}

const SETTINGS: Settings = Settings {
    every: Duration::from_millis(20),
    patience: Duration::from_millis(400),
    slack_bytes: 32 << 20,
};

impl Place {
    fn new() -> Option<Place> {
        let arena = Arena::new()?;
        let root = DriverRoot::new(&[A, B]).expect("root makes device nodes");
        let holds = Holds::at(&arena.path("gpus"));
        Some(Place {
            arena,
            root,
            holds,
            says: Says::default(),
        })
    }

    /// The same with a shell among the job's files; none, said aloud, where there is none.
    fn with_shell() -> Option<Place> {
        let place = Place::new()?;
        if !Path::new("/bin/busybox").exists() {
            eprintln!(
                "SKIPPED: what a job sees is looked at with /bin/busybox (package busybox-static)"
            );
            return None;
        }
        let bin = place.arena.path("root/bin");
        fs::copy("/bin/busybox", bin.join("busybox")).unwrap();
        for applet in ["sh", "cat", "ls", "find", "echo", "readlink"] {
            symlink("busybox", bin.join(applet)).unwrap();
        }
        Some(place)
    }

    fn sandbox(&self) -> &Sandbox {
        &self.arena.sandbox
    }

    fn shell(&self, name: &str, script: &str) -> Job {
        Job {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            ..self.arena.job(name, &[])
        }
    }

    fn take(&self, gpu: Gpu, job: &str, memory_bytes: Option<u64>) -> Grant {
        let request = Request {
            uuid: gpu.uuid.to_owned(),
            memory_bytes,
        };
        let driver = Driver::find(self.root.path()).unwrap();
        let granted = Granted::find(driver, &self.says, &[request]).unwrap();
        let state = self.sandbox().state().root();
        self.holds.take(granted, &self.says, state, job).unwrap()
    }

    fn start(&self, job: &Job, gpu: Gpu, memory_bytes: Option<u64>) -> (Started, Grant) {
        let grant = self.take(gpu, &job.name, memory_bytes);
        let started = self.sandbox().start_on(job, Some(&grant.granted));
        (started.unwrap_or_else(|error| panic!("{error:?}")), grant)
    }

    /// What the script prints as a job with the first GPU.
    fn prints(&self, name: &str, script: &str) -> String {
        self.prints_as(&self.shell(name, script))
    }

    fn prints_as(&self, job: &Job) -> String {
        let (mut started, grant) = self.start(job, A, None);
        let ended = started.wait().unwrap();
        assert_eq!(ended.left, [""; 0]);
        let text = self.arena.printed(&job.name);
        grant.hand_over();
        assert!(
            self.keep(&job.name)
                .iter()
                .all(|note| !note.seen.is_alarm())
        );
        self.arena.remove(&job.name);
        text
    }

    /// Keeps the job's GPUs until they are back or in quarantine: what was noted.
    fn keep(&self, name: &str) -> Vec<Note> {
        let mut told = Vec::new();
        let mut tell = |note: &Note| told.push(note.clone());
        keep(
            self.sandbox(),
            &self.holds,
            &self.says,
            name,
            SETTINGS,
            &mut tell,
        )
        .unwrap();
        let kept = notes::read(&self.arena.directory(name));
        assert_eq!(kept, told, "what is told is in the record");
        told
    }

    /// A job that waits, with the first GPU, kept by another thread while `meanwhile` does something: how it ended, what was noted.
    fn kept(
        &self,
        name: &str,
        memory_bytes: Option<u64>,
        meanwhile: impl FnOnce(u32),
    ) -> (Outcome, Vec<Note>) {
        let job = self.arena.job(name, &["wait-for", "ms=60000"]);
        let (mut started, grant) = self.start(&job, A, memory_bytes);
        let pid = u32::try_from(started.processes.init).unwrap();
        grant.hand_over();
        let (outcome, noted) = std::thread::scope(|scope| {
            let keeper = scope.spawn(|| self.keep(name));
            meanwhile(pid);
            let ended = started.wait().unwrap();
            (ended.outcome, keeper.join().unwrap())
        });
        self.arena.remove(name);
        (outcome, noted)
    }

    fn wait_for(&self, name: &str, seen: impl Fn(&Seen) -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        let directory = self.arena.directory(name);
        while !notes::read(&directory).iter().any(|note| seen(&note.seen)) {
            assert!(Instant::now() < until, "{:?}", notes::read(&directory));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(&self, name: &str) {
        let sandbox = self.sandbox();
        sandbox
            .kill(name, KillReason::Cancelled, Duration::ZERO)
            .unwrap();
    }

    #[track_caller]
    fn is_free(&self) {
        assert_eq!(self.holds.list().unwrap(), []);
        assert_eq!(self.holds.quarantines(), []);
    }
}

fn last(noted: &[Note]) -> &Seen {
    &noted.last().expect("something was noted").seen
}

// ------------------------------------------------------------------------------------------------------------ another GPU (37)

#[test]
fn the_other_gpu_is_not_there() {
    let Some(place) = Place::new() else { return };
    let job = place.arena.job("nodes", &["open-devices"]);
    let text = place.prints_as(&job);
    // Its own, and neither the other one nor displays nor tools; what has no device behind it opens for nobody.
    assert!(text.contains("\"detail\":\"nvidia3\""), "{text}");
    let job = place.arena.job("making", &["device-nodes"]);
    assert!(place.prints_as(&job).contains("\"got\":\"refused\""));
    place.is_free();
}

#[test]
fn the_other_gpu_is_refused_by_the_filter_wherever_its_node_is() {
    let Some(place) = Place::new() else { return };
    let job = place.arena.job("filtered", &["wait-for", "ms=60000"]);
    let (mut started, grant) = place.start(&job, A, None);
    let plan = place.sandbox().state().plan("filtered").unwrap().unwrap();
    let mut groups = plan.cgroup.unwrap().groups.into_iter();
    let group = groups.find(|group| group.backend == Backend::V2);
    let Some(group) = group else {
        eprintln!("SKIPPED: without version 2 of control groups there is no filter of devices");
        place.end("filtered");
        return;
    };
    // As if a process of the job had found a way to the host's own nodes.
    let open = |node: &str, enters: bool| {
        let enter = format!("echo $$ > {}/cgroup.procs && ", group.path.display());
        let enter = if enters { enter.as_str() } else { "" };
        let node = place.root.path().join("dev").join(node);
        let script = format!("{enter}exec 3<> {}", node.display());
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.success() {
            true => "opened".to_owned(),
            false => said
                .rsplit(": ")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
        }
    };
    assert_eq!(
        open("nvidia11", false),
        "opened",
        "it is there for the host"
    );
    assert_eq!(open("nvidia11", true), "Operation not permitted");
    assert_eq!(open("nvidia-modeset", true), "Operation not permitted");
    assert_eq!(open("nvidia-uvm-tools", true), "Operation not permitted");
    assert_eq!(open("nvidia3", true), "opened");
    // Allowed, and then there is no such device.
    for allowed in ["nvidiactl", "nvidia-uvm"] {
        assert_eq!(
            open(allowed, true),
            "No such device or address",
            "{allowed}"
        );
    }
    place.end("filtered");
    started.wait().unwrap();
    grant.hand_over();
    place.keep("filtered");
    place.arena.remove("filtered");
}

/// The rule, and not only a number that every job has, is what lets a job open its GPU.
#[test]
fn its_own_gpu_is_what_the_rule_opens() {
    let Some(place) = Place::with_shell() else {
        return;
    };
    let script = "[ -c /dev/nvidia11 ] && exec 3> /dev/nvidia11 && echo opened";
    let job = place.shell("other", script);
    let (mut started, grant) = place.start(&job, B, None);
    started.wait().unwrap();
    assert_eq!(place.arena.printed("other"), "opened\n");
    grant.hand_over();
    place.keep("other");
    place.arena.remove("other");
    assert_eq!(place.prints("own", script), "");
}

/// What the filters answer is asked by `sandbox/tests/seccomp`; here, that a job has the right ones.
#[test]
fn the_drivers_commands_are_for_jobs_with_a_gpu() {
    let Some(place) = Place::new() else { return };
    let job = place.arena.job("commands", &["wait-for", "ms=60000"]);
    let mut own = place.sandbox().start(&job).unwrap();
    let given = |started: &Started| {
        let watcher = started.processes.watcher;
        let file = fs::read_link(format!("/proc/{watcher}/fd/1")).unwrap();
        fs::read(file).unwrap()
    };
    let expected = |policy: Policy| {
        let mut bytes = Vec::new();
        let programs = policy.compile().unwrap().programs;
        gradus_jail::watcher::write_filters(&mut bytes, &programs).unwrap();
        bytes
    };
    assert!(given(&own) == expected(Policy::trainer()));
    place.end("commands");
    own.wait().unwrap();
    place.arena.remove("commands");
    let (mut started, grant) = place.start(&job, A, None);
    assert!(given(&started) == expected(Policy::trainer_with_gpu()));
    place.end("commands");
    started.wait().unwrap();
    grant.hand_over();
    place.keep("commands");
    place.arena.remove("commands");
}

#[test]
fn a_job_sees_its_driver_and_no_other_gpu_of_it() {
    let Some(place) = Place::with_shell() else {
        return;
    };
    let text = place.prints(
        "sees",
        "find /proc/driver /dev -name '*nvidia*' -o -path '/proc/driver/*' -type f; cat /proc/driver/nvidia/params; \
         cat /usr/local/nvidia/lib64/libcuda.so.1 /usr/local/nvidia/lib64/libcuda.so; echo; readlink /usr/local/nvidia/lib64/libnvidia-nvvm.so.4; \
         echo $LD_LIBRARY_PATH $PATH; echo x > /usr/local/nvidia/lib64/libcuda.so.580.95.05; echo x > /usr/local/nvidia/x; \
         echo x > /proc/driver/nvidia/params; ls /usr/local/nvidia /usr/local/nvidia/bin",
    );
    let lines: Vec<&str> = text.lines().collect();
    let nodes: Vec<&&str> = lines
        .iter()
        .filter(|line| line.starts_with("/dev"))
        .collect();
    assert_eq!(nodes.len(), 3, "{text}");
    assert!(
        !text.contains("nvidia11") && !text.contains("0000:2a"),
        "{text}"
    );
    for line in [
        "/proc/driver/nvidia/gpus/0000:1a:00.0/information",
        "ModifyDeviceFiles: 0",
        "libcudalibcuda",
        "libnvidia-nvvm.so.580.95.05",
        "/usr/local/nvidia/lib64 /bin:/usr/local/nvidia/bin",
        "nvidia-smi",
    ] {
        assert!(lines.contains(&line), "{line} is not in: {text}");
    }
    assert!(!lines.contains(&"ModifyDeviceFiles: 1"));
    assert!(
        !lines.contains(&"x"),
        "it wrote to what is read-only: {text}"
    );
    let library = place
        .root
        .path()
        .join("usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05");
    assert_eq!(fs::read_to_string(library).unwrap(), "libcuda");
}

/// A name, and what puts it into the image's `/usr/local`.
type Planted<'a> = (&'a str, &'a dyn Fn(&Path));

/// What the image has where the driver goes, and on the way there.
#[test]
fn links_of_the_image_lead_the_driver_nowhere() {
    let Some(place) = Place::with_shell() else {
        return;
    };
    let outside = place.arena.path("outside");
    fs::create_dir(&outside).unwrap();
    let host = outside.display().to_string();
    let plant: [Planted<'_>; 6] = [
        ("absolute", &|local| {
            symlink(&host, local.join("nvidia")).unwrap()
        }),
        ("relative", &|local| {
            symlink("../../../../../../../..", local.join("nvidia")).unwrap()
        }),
        ("magic", &|local| {
            symlink("/proc/self/root", local.join("nvidia")).unwrap()
        }),
        ("etc", &|local| {
            symlink("/etc", local.join("nvidia")).unwrap()
        }),
        ("file", &|local| {
            fs::write(local.join("nvidia"), "a file").unwrap()
        }),
        ("library", &|local| {
            fs::create_dir_all(local.join("nvidia/lib64")).unwrap();
            symlink(&host, local.join("nvidia/lib64/libcuda.so.580.95.05")).unwrap();
        }),
    ];
    for (name, plant) in plant {
        let layer = place.arena.path(name);
        fs::create_dir_all(layer.join("usr/local")).unwrap();
        plant(&layer.join("usr/local"));
        let job = place.shell(
            name,
            "ls -A /etc; cat /usr/local/nvidia/lib64/libcuda.so.1; readlink /usr/local/nvidia; echo; ls -A /usr/local/nvidia",
        );
        let job = Job {
            layers: vec![layer, place.arena.path("root")],
            ..job
        };
        assert_eq!(place.prints_as(&job), "libcuda\nbin\nlib64\n", "{name}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{name}");
    }
    place.is_free();
}

// ----------------------------------------------------------------------------------------------------- sockets of daemons (38)

#[test]
fn no_daemon_of_the_driver_is_inside() {
    let Some(place) = Place::with_shell() else {
        return;
    };
    let text = place.prints(
        "daemons",
        "find / -xdev -name '*mps*' ; find / -name '*persistenced*' -o -name '*fabricmanager*' -o -name '*nvidia-mps*' \
         -o -name '*modeset*' -o -name '*uvm-tools*' -o -name 'dri' -path '/dev/*' 2>/dev/null; ls /run /tmp /var 2>/dev/null",
    );
    let found: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("/sys/") && !line.ends_with(':') && !line.is_empty())
        .collect();
    assert_eq!(found, [""; 0], "{text}");
}

#[test]
fn a_job_without_a_gpu_sees_nothing_of_the_driver() {
    let Some(place) = Place::with_shell() else {
        return;
    };
    let job = place.shell(
        "without",
        "ls -A /proc/driver; ls -d /dev/nvidia* /usr/local/nvidia",
    );
    let ran = place.arena.run(&job);
    assert_eq!(ran.text, "");
}

// ---------------------------------------------------------------------------------------------- memory, and what is left (36)

#[test]
fn who_takes_more_memory_than_granted_is_ended_for_it() {
    let Some(place) = Place::new() else { return };
    let (outcome, noted) = place.kept("greedy", Some(2 * GIB), |pid| {
        place.says.used(&[(pid, 2 * GIB)]);
        std::thread::sleep(Duration::from_millis(100));
        place.says.used(&[(pid, 2 * GIB + 1)]);
        place.wait_for("greedy", |seen| matches!(seen, Seen::OverLimit { .. }));
        place.says.used(&[]);
    });
    assert_eq!(outcome, Outcome::GpuMemory);
    let peak = |note: &Note| {
        note.seen
            == Seen::Peak {
                used_bytes: 2 * GIB + 1,
            }
    };
    assert!(noted.iter().any(peak), "{noted:?}");
    assert!(matches!(last(&noted), Seen::Returned { .. }), "{noted:?}");
    place.is_free();
}

#[test]
fn memory_that_is_not_told_by_process_is_the_jobs_all_the_same() {
    let Some(place) = Place::new() else { return };
    let (outcome, _) = place.kept("hidden", Some(GIB), |pid| {
        let hidden = OnGpu { pid, bytes: None };
        place.says.says(Ok(Usage {
            used_bytes: BASELINE + GIB + 1,
            processes: vec![hidden],
        }));
        place.wait_for("hidden", |seen| matches!(seen, Seen::OverLimit { .. }));
        place.says.used(&[]);
    });
    assert_eq!(outcome, Outcome::GpuMemory);
}

#[test]
fn a_stranger_on_a_granted_gpu_is_an_alarm_in_the_record_and_not_the_jobs_memory() {
    let Some(place) = Place::new() else { return };
    let own = std::process::id();
    let (outcome, noted) = place.kept("beside", Some(GIB), |pid| {
        place
            .says
            .used(&[(pid, 1 << 20), (own, 60 * GIB), (4_000_000, 60 * GIB)]);
        place.wait_for("beside", |seen| matches!(seen, Seen::Foreign { .. }));
        // One that cannot be seen may just have ended: it is noted when it is still there.
        place.wait_for("beside", |seen| {
            matches!(seen, Seen::Unseen { pid: 4_000_000 })
        });
        place.says.used(&[(pid, 1 << 20)]);
        std::thread::sleep(Duration::from_millis(100));
        place.end("beside");
        place.says.used(&[]);
    });
    assert_eq!(outcome, Outcome::Cancelled, "the memory was not its own");
    let foreign: Vec<&Note> = noted
        .iter()
        .filter(|note| matches!(note.seen, Seen::Foreign { .. } | Seen::Unseen { .. }))
        .collect();
    assert_eq!(foreign.len(), 2, "once each: {noted:?}");
    assert!(matches!(&foreign[0].seen, Seen::Foreign { pid, .. } if *pid == own));
    place.is_free();
}

#[test]
fn memory_that_is_held_after_the_end_puts_the_gpu_into_quarantine() {
    let Some(place) = Place::new() else { return };
    let (_, noted) = place.kept("held", None, |_| {
        place.says.says(Ok(Usage {
            used_bytes: BASELINE + GIB,
            processes: Vec::new(),
        }));
        place.end("held");
    });
    let why = Why::MemoryNotReturned {
        before: BASELINE,
        after: BASELINE + GIB,
    };
    assert_eq!(last(&noted), &Seen::Quarantined { why: why.clone() });
    assert_eq!(place.holds.list().unwrap(), []);
    assert_eq!(place.holds.quarantined(A.uuid).unwrap().why, why);
    // Also when it is idle again: somebody has to look first.
    place.says.used(&[]);
    let driver = Driver::find(place.root.path()).unwrap();
    let request = Request {
        uuid: A.uuid.to_owned(),
        memory_bytes: None,
    };
    let granted = Granted::find(driver, &place.says, &[request]).unwrap();
    let state = place.sandbox().state().root();
    place
        .holds
        .take(granted, &place.says, state, "next")
        .expect_err("in quarantine");
    assert!(place.holds.release(A.uuid).unwrap());
    place.take(A, "next", None).release().unwrap();
    place.is_free();
}

#[test]
fn a_gpu_that_takes_a_while_to_come_back_is_waited_for() {
    let Some(place) = Place::new() else { return };
    let (_, noted) = place.kept("slow", None, |pid| {
        place.says.used(&[(pid, GIB)]);
        place.end("slow");
        // No process of it is left, and the driver has not noticed yet.
        std::thread::sleep(Duration::from_millis(150));
        place.says.used(&[]);
    });
    assert!(
        matches!(last(&noted), Seen::Returned { after_ms } if *after_ms >= 50),
        "{noted:?}"
    );
    place.is_free();
}

#[test]
fn a_process_that_stays_on_the_gpu_keeps_it_from_others() {
    let Some(place) = Place::new() else { return };
    let (_, noted) = place.kept("stays", None, |_| {
        place.says.used(&[(4_000_001, GIB)]);
        place.end("stays");
    });
    let why = Why::ProcessesLeft {
        pids: vec![4_000_001],
    };
    assert_eq!(last(&noted), &Seen::Quarantined { why });
}

#[test]
fn a_library_that_fails_for_a_while_is_noted_and_asked_again() {
    let Some(place) = Place::new() else { return };
    let (outcome, noted) = place.kept("reloaded", Some(GIB), |pid| {
        place.says.says(Err(NvmlError::Absent(
            "the driver is not loaded".to_owned(),
        )));
        place.wait_for("reloaded", |seen| matches!(seen, Seen::Unwatched { .. }));
        place.says.used(&[(pid, 2 * GIB)]);
        place.wait_for("reloaded", |seen| matches!(seen, Seen::OverLimit { .. }));
        // Also after the end.
        place.says.says(Err(NvmlError::Other("unknown".to_owned())));
        std::thread::sleep(Duration::from_millis(100));
        place.says.used(&[]);
    });
    assert_eq!(outcome, Outcome::GpuMemory);
    assert!(noted.iter().any(|note| note.seen == Seen::WatchedAgain));
    assert!(matches!(last(&noted), Seen::Returned { .. }), "{noted:?}");
    place.is_free();
}

#[test]
fn a_gpu_that_is_gone_or_says_nothing_goes_into_quarantine() {
    let Some(place) = Place::new() else { return };
    let (_, noted) = place.kept("gone", None, |_| {
        place.says.says(Err(NvmlError::Lost));
        place.wait_for("gone", |seen| *seen == Seen::Lost);
        place.end("gone");
    });
    assert_eq!(last(&noted), &Seen::Quarantined { why: Why::Lost });
    place.holds.release(A.uuid).unwrap();
    place.says.used(&[]);
    let (_, noted) = place.kept("silent", None, |_| {
        place.says.says(Err(NvmlError::Other("unknown".to_owned())));
        place.end("silent");
    });
    assert!(
        matches!(
            last(&noted),
            Seen::Quarantined {
                why: Why::Unknown { .. }
            }
        ),
        "{noted:?}"
    );
}

#[test]
fn a_hold_that_nobody_looks_after_is_taken_up_by_whoever_recovers() {
    let Some(place) = Place::new() else { return };
    let mut tell = |_: &Note| {};
    let job = place.arena.job("orphan", &["wait-for", "ms=60000"]);
    let (mut started, grant) = place.start(&job, A, None);
    let mut recovered = || {
        recover(
            place.sandbox(),
            &place.holds,
            &place.says,
            SETTINGS,
            &mut tell,
        )
        .unwrap()
    };
    assert_eq!(recovered(), [""; 0], "whoever starts it looks after it");
    grant.hand_over();
    // It runs: somebody has to be started who watches.
    assert_eq!(recovered(), ["orphan"]);
    assert_eq!(place.holds.list().unwrap().len(), 1);
    place.end("orphan");
    started.wait().unwrap();
    assert_eq!(recovered(), [""; 0]);
    place.is_free();
    place.arena.remove("orphan");

    // And if memory is held, and its watcher was killed, and the job is removed, and another one has its name: into quarantine.
    let (started, grant) = place.start(&job, A, None);
    let watcher = rustix::process::Pid::from_raw(started.processes.watcher).unwrap();
    rustix::process::kill_process(watcher, rustix::process::Signal::KILL).unwrap();
    drop(started);
    grant.hand_over();
    let until = Instant::now() + Duration::from_secs(20);
    while !place
        .sandbox()
        .recover()
        .unwrap()
        .contains(&"orphan".to_owned())
    {
        assert!(Instant::now() < until, "its watcher was killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    place.arena.remove("orphan");
    let mut next = place.sandbox().start(&job).unwrap();
    place.says.used(&[(4_000_002, GIB)]);
    assert_eq!(recovered(), [""; 0], "the one that runs has no GPU");
    assert!(place.holds.quarantined(A.uuid).is_some());
    place.end("orphan");
    next.wait().unwrap();
    place.arena.remove("orphan");
}
