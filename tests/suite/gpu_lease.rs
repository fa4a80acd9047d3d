//! (In this process and its children) leases, their end, and the memory watch, over a stand-in for the management library.

use gradus_nvml_stub::{Stub, Variant};
use gradus_runtime::device::quarantine::Why;
use gradus_runtime::device::{
    Inventory, Lease, LeaseError, Nvml, ReadError, Request, StateDir, Watch, WatchEvent,
};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const A: &str = "GPU-00000001-aaaa-bbbb-cccc-000000000000";
const B: &str = "GPU-00000002-aaaa-bbbb-cccc-000000000000";

struct Machine {
    // Ends before its library's directory does.
    nvml: Arc<Nvml>,
    stub: Stub,
    directory: tempfile::TempDir,
}

impl Machine {
    fn new(scenario: &str) -> Self {
        let stub = Stub::new(Variant::Current, scenario);
        Self {
            nvml: Arc::new(Nvml::load_from(stub.library().as_os_str()).expect("the stub loads")),
            stub,
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    fn state(&self) -> StateDir {
        StateDir::new(self.directory.path())
    }

    fn take(&self, request: &str) -> Result<Lease, LeaseError> {
        let state = self.state();
        let inventory = Inventory::read(&self.nvml, Some(&state));
        let request: Request = request.parse().expect("a request");
        Lease::take(&state, &inventory, &*self.nvml, &request, "a test")
    }

    /// A process that has a lease, from the line it prints until it is killed.
    fn child(&self, request: &str) -> Child {
        let mut child = Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "gpu_lease::holder", "--ignored", "--nocapture"])
            .env("GRADUS_TEST_STUB", self.stub.library())
            .env("GRADUS_STATE_DIR", self.directory.path())
            .env("GRADUS_TEST_REQUEST", request)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let held = lines
            .map_while(Result::ok)
            .any(|line| line.contains("held"));
        assert!(held, "the child got no lease");
        child
    }
}

/// Not a test: what [`Machine::child`] runs.
#[test]
#[ignore = "runs as a child of the others"]
fn holder() {
    let Some(library) = std::env::var_os("GRADUS_TEST_STUB") else {
        return;
    };
    let nvml = Nvml::load_from(&library).expect("the stub loads");
    let state = StateDir::from_environment().expect("named by the parent");
    let inventory = Inventory::read(&nvml, Some(&state));
    let request: Request = std::env::var("GRADUS_TEST_REQUEST")
        .expect("given by the parent")
        .parse()
        .expect("a request");
    let lease = Lease::take(&state, &inventory, &nvml, &request, "the child").expect("free");
    println!("\nheld {}", lease.devices().len());
    std::thread::sleep(Duration::from_secs(120));
}

#[test]
fn the_second_process_is_told_who_has_the_gpu_and_gets_it_when_that_one_is_dead() {
    let machine = Machine::new("gpu\ngpu\n");
    let mut child = machine.child("0");
    for name in ["0", A, "GPU-00000001"] {
        match machine.take(name) {
            Err(LeaseError::Held { uuid, holder }) => {
                assert_eq!((uuid.as_str(), holder.pid), (A, Some(child.id())));
                assert_eq!(holder.purpose, "the child");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let auto = machine.take("auto").expect("the other one is free");
    assert_eq!(auto.devices()[0].uuid, B);
    let few = machine
        .take("auto")
        .expect_err("both are taken")
        .to_string();
    assert!(
        few.contains("0 of 1") && few.contains(&child.id().to_string()),
        "{few}"
    );
    // All or nothing: the free one is not kept.
    drop(auto);
    assert!(matches!(machine.take("1,0"), Err(LeaseError::Held { .. })));
    drop(machine.take("1").expect("it was given back"));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let lease = machine.take("0").expect("the dead hold nothing");
    let abandoned = lease.devices()[0]
        .abandoned_by
        .as_ref()
        .expect("it was not given back");
    assert_eq!(abandoned.pid, Some(child.id()));
    drop(lease);
    let again = machine.take("0").expect("free");
    assert_eq!(again.devices()[0].abandoned_by, None, "this time it was");
}

#[test]
fn requests_that_mean_no_gpu_say_what_there_is() {
    let cut =
        "slice MIG-11111111-a 1g.10gb 10737418240 0\nslice MIG-11111111-b 1g.10gb 10737418240 0\n";
    let machine = Machine::new(&format!(
        "gpu\ngpu\n{cut}gpu\ncapability 7 5\ngpu\necc 1 0 1 0 1\n"
    ));
    let error = |request: &str| machine.take(request).expect_err(request);
    assert!(matches!(error("9"), LeaseError::Unknown { .. }));
    assert!(matches!(error("GPU-0000000"), LeaseError::Ambiguous { .. }));
    assert!(matches!(error("0,GPU-00000001"), LeaseError::Twice { .. }));
    assert!(matches!(error("2"), LeaseError::Unsupported { .. }));
    assert!(matches!(error("3"), LeaseError::Unusable { .. }));
    match error("1") {
        LeaseError::Cut { index, instances } => {
            assert_eq!((index, instances.len()), (1, 2));
        }
        other => panic!("{other}"),
    }
    let lease = machine.take("MIG-11111111-a").expect("free");
    let other = machine
        .take("MIG-11111111-b")
        .expect("instances do not exclude each other");
    assert!(matches!(error("MIG-11111111-a"), LeaseError::Held { .. }));
    // Uncut while its instances are leased, the whole still is not to be had.
    machine.stub.change("gpu\ngpu\n");
    assert!(matches!(error("1"), LeaseError::Held { .. }));
    drop((lease, other));
    machine.take("1").expect("free");
}

#[test]
fn a_gpu_that_comes_back_is_free_and_one_that_does_not_is_quarantined() {
    let before = "gpu\nmemory 85520809984 1073741824\nprocess 7 1000000000\n";
    let machine = Machine::new(before);
    let lease = machine.take("0").expect("degraded, but asked for by name");
    // The other process grows; what is ours stays for a while, then goes.
    let grown = "gpu\nmemory 85520809984 3073741824\nprocess 7 3000000000\n";
    machine.stub.change(&format!("{grown}process 8 5000000\n"));
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            machine.stub.change(grown);
        });
        lease
            .verify_returned(&*machine.nvml, Duration::from_secs(20))
            .expect("it comes back");
    });
    assert!(
        began.elapsed() >= Duration::from_millis(250),
        "it was waited for"
    );

    machine
        .stub
        .change("gpu\nmemory 85520809984 5073741824\nprocess 7 1000000000\n");
    let not = lease
        .verify_returned(&*machine.nvml, Duration::from_millis(100))
        .expect_err("4 GB are left");
    assert!(
        matches!(not.records[0].why, Why::MemoryNotReturned { .. }),
        "{not}"
    );
    machine.stub.change("gpu\nprocess 9 1\n");
    let not = lease
        .verify_returned(&*machine.nvml, Duration::ZERO)
        .expect_err("a process");
    assert_eq!(not.records[0].why, Why::ProcessesLeft { pids: vec![9] });
    drop(lease);
    machine.stub.change("gpu\n");
    assert!(matches!(
        machine.take("0"),
        Err(LeaseError::Quarantined { .. })
    ));
    assert!(matches!(
        machine.take("auto"),
        Err(LeaseError::TooFew { .. })
    ));
    let inventory = Inventory::read(&machine.nvml, Some(&machine.state()));
    assert!(inventory.gpus[0].quarantine.is_some());
    assert!(machine.state().clear(A).expect("removed"));
    machine.take("auto").expect("cleared");
}

#[test]
fn a_gpu_that_is_lost_during_a_lease_is_quarantined_as_lost() {
    let machine = Machine::new("gpu\n");
    let lease = machine.take("0").expect("free");
    machine.stub.change("gpu\nlost_after 0\n");
    let not = lease
        .verify_returned(&*machine.nvml, Duration::from_secs(60))
        .expect_err("lost");
    assert_eq!(not.records[0].why, Why::Lost);
}

#[test]
fn a_watch_keeps_the_peak_tells_of_a_lost_gpu_once_and_stops() {
    let machine = Machine::new("gpu\nmemory 85520809984 1000\nprocess 7 600\ngpu\n");
    let (tell, events) = mpsc::channel();
    let uuids = vec![A.to_owned(), B.to_owned()];
    let watch = Watch::start(
        machine.nvml.clone(),
        uuids,
        Duration::from_millis(5),
        move |event| {
            let _ = tell.send(event);
        },
    )
    .expect("a thread");
    let until = |wanted: &dyn Fn(&WatchEvent) -> bool| {
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            let rest = limit.saturating_duration_since(Instant::now());
            let event = events.recv_timeout(rest).expect("the watch tells");
            if wanted(&event) {
                return event;
            }
        }
    };
    let of = |bytes: u64| move |event: &WatchEvent| matches!(event, WatchEvent::Sample { uuid, usage } if uuid == A && usage.memory_used == bytes);
    until(&of(1000));
    machine
        .stub
        .change("gpu\nmemory 85520809984 9000\nprocess 7 8000\ngpu\n");
    until(&of(9000));
    machine
        .stub
        .change("gpu\nmemory 85520809984 500\ngpu\nerror nvmlDeviceGetMemoryInfo_v2 999\n");
    // What is told once comes first: a change between the looks at two devices is seen of the second one first.
    until(
        &|event| matches!(event, WatchEvent::Unreadable { uuid, error: ReadError::Other(_) } if uuid == B),
    );
    until(&of(500));
    machine
        .stub
        .change("gpu\nmemory 85520809984 400\ngpu\nlost_after 0\n");
    until(&|event| matches!(event, WatchEvent::Lost { uuid } if uuid == B));
    until(&of(400));
    let peaks = watch.stop();
    assert_eq!(peaks[A].memory_used, 9000);
    assert_eq!(peaks[A].processes[&7], 8000);
    let rest: Vec<WatchEvent> = events.iter().collect();
    let lost = |event: &&WatchEvent| matches!(event, WatchEvent::Lost { .. });
    assert_eq!(
        rest.iter().filter(lost).count(),
        0,
        "once, and the thread is gone"
    );
}

#[test]
fn a_watch_with_a_long_interval_stops_at_once() {
    let machine = Machine::new("gpu\n");
    let uuids = vec![A.to_owned()];
    let day = Duration::from_secs(86_400);
    let watch = Watch::start(machine.nvml.clone(), uuids, day, |_| {}).expect("a thread");
    let began = Instant::now();
    watch.stop();
    assert!(began.elapsed() < Duration::from_secs(20));
}
