//! Builds beside one another, and builds that are killed.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gradus_builder::sweep;
use gradus_image::store::Store;
use gradus_sandbox::sandbox::Sandbox;

use crate::yard::{With, Yard};

const CHILD: &str = "GRADUS_BUILDER_TEST_CHILD";

/// What a builder that is to be killed builds: run by the test below, in a process of its own.
#[test]
fn child() {
    let Ok(state) = std::env::var(CHILD) else {
        return;
    };
    let state = std::path::Path::new(&state);
    let sandbox = Sandbox::open(state).unwrap();
    let store = Store::open_unflushed(&sandbox.state().images()).unwrap();
    let context = state.join("../context");
    let request = gradus_builder::Request {
        dockerfile: b"FROM base\nCOPY . /c\nRUN --mount=type=cache,target=/k dd if=/dev/zero of=/f bs=1M count=8 && sleep 0.4\nRUN touch /g && sleep 100",
        context: &context,
        target: None,
        args: Default::default(),
        secrets: &[],
        cache_scope: Some("tests".to_owned()),
        no_cache: true,
        names: vec!["killed:latest".to_owned()],
        limits: With::default().limits,
        network: gradus_builder::Network::None,
        bases: &gradus_builder::StoreOnly,
        epoch_s: 0,
    };
    let _ = gradus_builder::build(&sandbox, &store, &request, &|| false, &mut |_| {});
}

#[test]
fn a_build_that_is_killed_leaves_nothing_after_a_sweep() {
    let Some(yard) = Yard::new() else { return };
    yard.write("a", "a");
    for after_ms in [0, 20, 60, 100, 200, 350, 500, 700, 900] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child", "--nocapture"])
            .env(CHILD, yard.path("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(after_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        // A watcher whose start was under way may hold its lock a moment longer.
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            yard.sandbox.recover().unwrap();
            sweep(&yard.sandbox).unwrap();
            for job in yard.sandbox.jobs().unwrap() {
                let _ = yard.sandbox.remove(&job.name);
            }
            // Another test's program that is being started has copies of the locks, for a moment.
            let running = yard.sandbox.state().builds().join("running");
            let none = std::fs::read_dir(running).map_or(true, |mut left| left.next().is_none());
            if none && yard.sandbox.jobs().unwrap().is_empty() || Instant::now() > until {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        // What its store had half made goes when the store is next opened.
        drop(Store::open_unflushed(yard.store.root()).unwrap());
        yard.assert_clean();
        assert!(yard.store.resolve("killed:latest").unwrap().is_none());
    }
    // The cache that was in use is whole.
    yard.build("FROM base\nRUN --mount=type=cache,target=/k touch /k/x");
}

#[test]
fn builds_of_one_state_directory_do_not_disturb_each_other() {
    let Some(yard) = Yard::new() else { return };
    yard.write("a", "a");
    let state = yard.path("state");
    let context = yard.context();
    let build = |number: usize| {
        let sandbox = Sandbox::open(&state).unwrap();
        let store = Store::open_unflushed(&sandbox.state().images()).unwrap();
        let own = format!(
            "FROM base\nCOPY a /a\nRUN --mount=type=cache,target=/k echo {number} >> /k/all && sleep 0.1\nRUN echo same > /same\nRUN echo {number} > /own"
        );
        let request = gradus_builder::Request {
            dockerfile: own.as_bytes(),
            context: &context,
            target: None,
            args: Default::default(),
            secrets: &[],
            cache_scope: Some("tests".to_owned()),
            no_cache: false,
            names: vec![format!("n{number}:latest")],
            limits: With::default().limits,
            network: gradus_builder::Network::None,
            bases: &gradus_builder::StoreOnly,
            epoch_s: 0,
        };
        gradus_builder::build(&sandbox, &store, &request, &|| false, &mut |_| {}).unwrap()
    };
    let built: Vec<_> = thread::scope(|scope| {
        let handles: Vec<_> = (0..4)
            .map(|number| scope.spawn(move || build(number)))
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap())
            .collect()
    });
    for (number, built) in built.iter().enumerate() {
        let named = yard
            .store
            .resolve(&format!("n{number}:latest"))
            .unwrap()
            .unwrap();
        assert_eq!(named.config, built.image);
    }
    yard.build("FROM base\nRUN --mount=type=cache,target=/k test $(wc -l < /k/all) = 4");
    yard.assert_clean();
}

#[test]
fn a_full_disk_under_the_store_leaves_it_as_it_was() {
    let Some(yard) = Yard::new() else { return };
    let disk = Disk::mount(&yard.path("disk"));
    let Some(disk) = disk else { return };
    let sandbox = Sandbox::open(&disk.path.join("state")).unwrap();
    let store = Store::open(&sandbox.state().images()).unwrap();
    let context = yard.context();
    yard.write("x", "x");
    std::fs::write(context.join("big"), vec![1; 40 << 20]).unwrap();
    std::fs::copy("/bin/busybox", context.join("busybox")).unwrap();
    let mut limits = With::default().limits;
    limits.disk_bytes = 256 << 20;
    let build = |text: &str| {
        let request = gradus_builder::Request {
            dockerfile: text.as_bytes(),
            context: &context,
            target: None,
            args: Default::default(),
            secrets: &[],
            cache_scope: Some("tests".to_owned()),
            no_cache: true,
            names: vec!["full:latest".to_owned()],
            limits: limits.clone(),
            network: gradus_builder::Network::None,
            bases: &gradus_builder::StoreOnly,
            epoch_s: 0,
        };
        gradus_builder::build(&sandbox, &store, &request, &|| false, &mut |_| {})
    };
    let first = build("FROM scratch\nCOPY x /x").unwrap();
    // Staged, as an archive and as a layer, it is more than there is room for.
    // And what a command writes to a file system of its own, whose file finds no room when the command has ended.
    let fill = r#"RUN ["/bin/busybox", "dd", "if=/dev/urandom", "of=/f", "bs=1M", "count=100"]"#;
    for text in [
        "FROM scratch\nCOPY big /big",
        &format!("FROM scratch\nCOPY busybox /bin/busybox\n{fill}"),
    ] {
        let error = build(text).unwrap_err();
        assert_eq!(
            error.owner(),
            gradus_image::Owner::Host,
            "{}",
            crate::yard::chain(&error)
        );
        // Layers of steps that were done stay until they are collected.
        let all = gradus_image::store::GcPolicy {
            bytes_max: Some(0),
            age_max: None,
        };
        let pin = store.pin().unwrap();
        store.pin_image(&pin, &first.image).unwrap();
        store.collect(&all).unwrap();
    }
    assert_eq!(
        store.resolve("full:latest").unwrap().unwrap().config,
        first.image
    );
    assert_eq!(store.images().unwrap().len(), 1);
    for own in std::fs::read_dir(store.root().join("tmp")).unwrap() {
        assert_eq!(std::fs::read_dir(own.unwrap().path()).unwrap().count(), 0);
    }
    let layers = std::fs::read_dir(store.root().join("layers"))
        .unwrap()
        .count();
    assert_eq!(layers, 1);
    build("FROM scratch\nCOPY x /y").unwrap();
}

/// A small file system of its own.
struct Disk {
    path: std::path::PathBuf,
}

impl Disk {
    fn mount(path: &std::path::Path) -> Option<Disk> {
        std::fs::create_dir(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "none"])
            .arg(path)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: a small disk is mounted as root");
            return None;
        }
        Some(Disk {
            path: path.to_owned(),
        })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
