use gradus_sandbox::job::*;
use gradus_sandbox::sandbox::Sandbox;
#[test]
fn runs() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::open(&dir.path().join("state")).unwrap();
    let job = Job {
        name: "one".into(),
        layers: vec!["/work/rootfs".into()],
        writable_root: true,
        argv: vec![
            "/bin/sh".into(),
            "-c".into(),
            std::env::var("CMD")
                .unwrap_or("id; ls -la / /dev; cat /proc/self/status; mount".into()),
        ],
        env: vec!["PATH=/bin".into()],
        cwd: "/".into(),
        uid: 0,
        gid: 0,
        inputs: vec![],
        outputs: vec![Output {
            name: "out".into(),
            inside: "/out".into(),
        }],
        best_effort: false,
        limits: Limits {
            memory_bytes: 100 << 20,
            pids: 50,
            ..Limits::default()
        },
        scratch: std::env::var("DISK").map_or(ScratchKind::Memory, |_| ScratchKind::Disk),
    };
    let a = std::time::Instant::now();
    let mut started = sandbox.start(&job).unwrap();
    eprintln!("{:?} {:?}", a.elapsed(), started.processes);
    let ended = started.wait().unwrap();
    eprintln!("{:?} {ended:?}", a.elapsed());
    for f in ["log.head", "watcher.errors", "journal"] {
        eprintln!(
            "{f}: {}",
            String::from_utf8_lossy(
                &std::fs::read(sandbox.state().directory("one").join(f)).unwrap()
            )
        );
    }
    sandbox.remove("one").unwrap();
}
