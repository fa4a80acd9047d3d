//! Health as a table.

use super::events::GpuEvent;
use super::health::{Reason, Verdict, assess};
use super::inventory::{
    ComputeMode, Ecc, ErrorCounts, Gpu, Memory, Mig, MigInstance, Process, ProcessKind,
    RemappedRows, Throttle, Unreadable,
};
use super::nvml::ReadError;
use super::quarantine::{Record, Why};

const GIB: u64 = 1 << 30;

fn healthy() -> Gpu {
    Gpu {
        uuid: Some("GPU-a".to_owned()),
        memory: Some(Memory {
            total: 80 * GIB,
            used: GIB / 2,
            free: 79 * GIB,
        }),
        ecc: Some(Ecc {
            enabled: true,
            pending: true,
            volatile: Some(ErrorCounts::default()),
            // Errors of former times, repaired by a reset since.
            aggregate: Some(ErrorCounts {
                corrected: 7,
                uncorrected: 2,
            }),
        }),
        remapped_rows: Some(RemappedRows {
            uncorrected: 2,
            ..RemappedRows::default()
        }),
        temperature_c: Some(41),
        slowdown_c: Some(87),
        compute_mode: Some(ComputeMode::Default),
        ..Gpu::default()
    }
}

fn process(pid: u32, bytes: Option<u64>, kind: ProcessKind) -> Process {
    Process {
        pid,
        name: None,
        memory: bytes,
        kind,
    }
}

fn with(change: impl FnOnce(&mut Gpu)) -> Gpu {
    let mut gpu = healthy();
    change(&mut gpu);
    gpu
}

fn xid(code: u64, uuid: Option<&str>) -> GpuEvent {
    GpuEvent {
        uuid: uuid.map(str::to_owned),
        xid: code,
    }
}

#[test]
fn each_fault_alone_has_its_verdict() {
    use Verdict::{Degraded, Ready, Unusable};
    let throttle = |by| with(|gpu| gpu.throttle = vec![by]);
    let volatile = |counts| with(|gpu| gpu.ecc.as_mut().unwrap().volatile = Some(counts));
    let rows = |rows| with(|gpu| gpu.remapped_rows = Some(rows));
    let used = |bytes| with(|gpu| gpu.memory.as_mut().unwrap().used = bytes);
    let runs = |kind| with(|gpu| gpu.processes = vec![process(7, Some(GIB / 4), kind)]);
    let cases: Vec<(&str, Gpu, Verdict, usize)> = vec![
        ("healthy", healthy(), Ready, 0),
        ("lost", with(|gpu| gpu.lost = true), Unusable, 1),
        (
            "needs a reset",
            with(|gpu| gpu.reset_required = true),
            Unusable,
            1,
        ),
        (
            "corrected",
            volatile(ErrorCounts {
                corrected: 3,
                uncorrected: 0,
            }),
            Ready,
            0,
        ),
        (
            "uncorrected",
            volatile(ErrorCounts {
                corrected: 0,
                uncorrected: 1,
            }),
            Unusable,
            1,
        ),
        (
            "ECC off",
            with(|gpu| gpu.ecc.as_mut().unwrap().enabled = false),
            Ready,
            1,
        ),
        ("no ECC", with(|gpu| gpu.ecc = None), Ready, 0),
        (
            "remap pending",
            rows(RemappedRows {
                pending: true,
                ..RemappedRows::default()
            }),
            Degraded,
            1,
        ),
        (
            "remap failed",
            rows(RemappedRows {
                failed: true,
                ..RemappedRows::default()
            }),
            Unusable,
            1,
        ),
        (
            "retirement pending",
            with(|gpu| gpu.retired_pages_pending = Some(true)),
            Degraded,
            1,
        ),
        ("at the power limit", throttle(Throttle::PowerCap), Ready, 1),
        (
            "software thermal",
            throttle(Throttle::SoftwareThermal),
            Degraded,
            1,
        ),
        (
            "hardware thermal",
            throttle(Throttle::HardwareThermal),
            Degraded,
            1,
        ),
        ("power brake", throttle(Throttle::PowerBrake), Degraded, 1),
        (
            "almost hot",
            with(|gpu| gpu.temperature_c = Some(86)),
            Ready,
            0,
        ),
        ("hot", with(|gpu| gpu.temperature_c = Some(87)), Degraded, 1),
        ("a tenth in use", used(8 * GIB), Ready, 0),
        ("more in use", used(8 * GIB + 1), Degraded, 1),
        ("others compute", runs(ProcessKind::Compute), Degraded, 1),
        ("a display", runs(ProcessKind::Graphics), Ready, 0),
        (
            "prohibited",
            with(|gpu| gpu.compute_mode = Some(ComputeMode::Prohibited)),
            Unusable,
            1,
        ),
        (
            "unreadable",
            with(|gpu| {
                gpu.unreadable = vec![Unreadable {
                    what: "power",
                    error: ReadError::NoPermission,
                }];
            }),
            Degraded,
            1,
        ),
        (
            "MIG pending",
            with(|gpu| {
                gpu.mig = Some(Mig {
                    pending: true,
                    ..Mig::default()
                })
            }),
            Degraded,
            1,
        ),
        (
            "MIG without instances",
            with(|gpu| {
                gpu.mig = Some(Mig {
                    enabled: true,
                    pending: true,
                    ..Mig::default()
                })
            }),
            Unusable,
            1,
        ),
        (
            "quarantined",
            with(|gpu| gpu.quarantine = Some(Record::new("GPU-a", Why::Lost, ""))),
            Unusable,
            1,
        ),
        (
            "an instance quarantined",
            with(|gpu| {
                let quarantine = Some(Record::new("MIG-a", Why::Lost, ""));
                let instances = vec![MigInstance {
                    quarantine,
                    ..MigInstance::default()
                }];
                gpu.mig = Some(Mig {
                    enabled: true,
                    pending: true,
                    instances,
                });
            }),
            Degraded,
            1,
        ),
    ];
    for (what, gpu, verdict, reasons) in cases {
        let health = assess(&gpu, &[], &[]);
        assert_eq!(
            (health.verdict, health.reasons.len()),
            (verdict, reasons),
            "{what}: {health:?}"
        );
    }
}

#[test]
fn an_xid_counts_for_its_gpu_and_by_what_it_means() {
    for (code, verdict) in [
        (31, Verdict::Ready),
        (63, Verdict::Degraded),
        (777, Verdict::Degraded),
        (48, Verdict::Unusable),
        (79, Verdict::Unusable),
    ] {
        let health = assess(&healthy(), &[xid(code, Some("GPU-a"))], &[]);
        assert_eq!(health.verdict, verdict, "{code}");
        assert_eq!(health.reasons, [Reason::Xid { code }]);
        let other = assess(&healthy(), &[xid(code, Some("GPU-b"))], &[]);
        assert!(other.reasons.is_empty(), "{code}");
    }
    let twice = [xid(79, Some("GPU-a")), xid(79, None)];
    assert_eq!(assess(&healthy(), &twice, &[]).reasons.len(), 1);
}

#[test]
fn our_own_processes_are_not_others() {
    let gpu = with(|gpu| {
        gpu.compute_mode = Some(ComputeMode::ExclusiveProcess);
        gpu.memory.as_mut().unwrap().used = 40 * GIB;
        gpu.processes = vec![process(7, Some(39 * GIB), ProcessKind::Compute)];
    });
    assert_eq!(assess(&gpu, &[], &[7]).verdict, Verdict::Ready);
    let others = assess(&gpu, &[], &[8]);
    assert_eq!(others.verdict, Verdict::Unusable);
    assert_eq!(others.reasons[0], Reason::HeldExclusively { pid: 7 });
    assert!(
        others.reasons[1].to_string().contains("process 7"),
        "{others:?}"
    );
}

#[test]
fn the_worst_reason_decides_and_comes_first() {
    let gpu = with(|gpu| {
        gpu.throttle = vec![Throttle::PowerCap, Throttle::HardwareThermal];
        gpu.retired_pages_pending = Some(true);
        gpu.lost = true;
    });
    let health = assess(&gpu, &[], &[]);
    let verdicts: Vec<Verdict> = health.reasons.iter().map(Reason::verdict).collect();
    assert_eq!(
        verdicts,
        [
            Verdict::Unusable,
            Verdict::Degraded,
            Verdict::Degraded,
            Verdict::Ready
        ]
    );
    assert_eq!(health.verdict, Verdict::Unusable);
}
