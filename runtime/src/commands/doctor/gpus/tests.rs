use super::*;
use crate::device::support::Capability;

fn gpu(index: u32, major: u32) -> Gpu {
    Gpu {
        index,
        capability: Some(Capability { major, minor: 0 }),
        ..Gpu::default()
    }
}

fn said(driver: &str, cuda: u32, list: Vec<Gpu>) -> (State, String) {
    let inventory = Inventory {
        driver: Some(driver.to_owned()),
        cuda_driver: Some(cuda),
        gpus: list,
        unreadable: Vec::new(),
    };
    check(&Gpus::of(inventory, Vec::new()), &files(None))
}

fn files(driver: Option<&str>) -> host::Gpu {
    host::Gpu {
        driver: driver.map(str::to_owned),
        devices: 2,
        library: true,
    }
}

#[test]
fn a_gpu_that_can_evaluate_is_named_and_one_that_cannot_has_a_reason() {
    let degraded = Gpu {
        retired_pages_pending: Some(true),
        ..gpu(1, 8)
    };
    let lost = Gpu {
        lost: true,
        ..gpu(2, 9)
    };
    let cases = [
        (
            "580.65.06",
            13_000,
            vec![gpu(0, 9), gpu(3, 8)],
            State::Ready,
            "GPUs 0, 3 can evaluate",
        ),
        (
            "580.65.06",
            13_000,
            vec![gpu(0, 7), degraded.clone()],
            State::Limited,
            "GPU 1 can evaluate, with",
        ),
        (
            "580.65.06",
            13_000,
            vec![gpu(0, 9), degraded],
            State::Ready,
            "GPU 0 can evaluate, GPU 1 with",
        ),
        (
            "580.65.06",
            13_000,
            vec![lost, gpu(0, 7)],
            State::Absent,
            "unusable now",
        ),
        (
            "580.65.06",
            13_000,
            vec![gpu(0, 7)],
            State::Absent,
            "kernels need 8.0",
        ),
        (
            "575.57.08",
            12_090,
            vec![gpu(0, 7), gpu(1, 9)],
            State::Absent,
            "install driver 580 or newer",
        ),
        ("580.65.06", 13_000, vec![], State::Absent, "shows no GPU"),
    ];
    for (driver, cuda, list, state, part) in cases {
        let (found, detail) = said(driver, cuda, list);
        assert_eq!(found, state, "{detail}");
        assert!(detail.contains(part), "{part}: {detail}");
    }
}

#[test]
fn without_the_management_library_files_tell() {
    let without = |driver| {
        let gpus = Gpus {
            nvml: Some(NvmlAbsent::NotLoaded(
                "libnvidia-ml.so.1: no such file".to_owned(),
            )),
            driver: None,
            cuda_driver: None,
            devices: Vec::new(),
            events: Vec::new(),
        };
        check(&gpus, &files(driver))
    };
    let (state, detail) = without(None);
    assert_eq!(state, State::Absent);
    assert!(
        detail.contains("no NVIDIA driver") && detail.contains("580"),
        "{detail}"
    );
    let (state, detail) = without(Some("580.65.06"));
    assert_eq!(state, State::Limited);
    assert!(
        detail.contains("2 GPUs") && detail.contains("no such file"),
        "{detail}"
    );
    let (state, detail) = without(Some("470.1"));
    assert_eq!(state, State::Absent);
    assert!(detail.contains("install 580"), "{detail}");
}
