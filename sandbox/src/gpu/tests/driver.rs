//! Finding the driver, its libraries and its nodes; and what is refused.

use super::*;

#[test]
fn a_gpu_is_found_by_its_uuid_and_has_the_node_of_its_minor_number() {
    let Some(root) = root() else { return };
    let says = Says::idle();
    for (asked, uuid, minor) in [(A, A, 3), (B, B, 11), ("GPU-bb", B, 11)] {
        let granted = find(&root, &says, &[asked]).unwrap();
        let [gpu] = &granted.gpus()[..] else {
            panic!("one was asked for")
        };
        assert_eq!((gpu.uuid.as_str(), gpu.minor), (uuid, minor));
    }
    // A GPU that was never used: the driver does not know its name yet, its place tells.
    for gpu in GPUS {
        let path = format!("proc/driver/nvidia/gpus/{}/information", gpu.pci);
        let text = fs::read_to_string(root.path().join(&path)).unwrap();
        root.write(&path, &text.replace(gpu.uuid, "GPU-????????-????"));
    }
    assert_eq!(find(&root, &says, &[B]).unwrap().gpus()[0].minor, 11);
}

#[test]
fn what_names_no_gpu_or_several_says_what_there_is() {
    let Some(root) = root() else { return };
    let says = Says::cut();
    let error = |uuids: &[&str]| find(&root, &says, uuids).expect_err("refused");
    match error(&["GPU-cc"]) {
        GpuError::Unknown { known, .. } => assert!(known.contains(A) && known.contains(PART)),
        other => panic!("{other}"),
    }
    assert!(matches!(error(&["GPU-"]), GpuError::Unknown { .. }));
    assert!(matches!(error(&[A, "GPU-aa"]), GpuError::Twice(_)));
    match error(&[B]) {
        GpuError::Cut { instances, .. } => assert_eq!(instances, PART),
        other => panic!("{other}"),
    }
    let mut alike = Says::idle();
    alike.gpus[0].uuid = A.replace("0001", "0009");
    let error = find(&root, &alike, &["GPU-aa"]).expect_err("two");
    assert!(matches!(error, GpuError::Ambiguous { .. }), "{error}");
}

#[test]
fn libraries_are_those_of_the_very_version_that_is_loaded() {
    let Some(root) = root() else { return };
    let driver = Driver::find(root.path()).unwrap();
    assert_eq!(driver.version, VERSION);
    let names: Vec<&str> = driver.libraries.iter().map(|it| it.name.as_str()).collect();
    let expected = [
        "libcuda",
        "libnvidia-ml",
        "libnvidia-ptxjitcompiler",
        "libnvidia-nvvm",
    ];
    // The debugger's is there, and not among them.
    assert_eq!(names, expected.map(|stem| format!("{stem}.so.{VERSION}")));
    assert_eq!(
        driver.libraries[3].links,
        [
            "libnvidia-nvvm.so",
            "libnvidia-nvvm.so.1",
            "libnvidia-nvvm.so.4"
        ]
    );
    // An update of the packages without a reboot.
    root.library("libcuda", "590.44.01");
    match Driver::find(root.path()).expect_err("another version") {
        GpuError::Mismatch { found, loaded, .. } => {
            assert_eq!((found.as_str(), loaded.as_str()), ("590.44.01", VERSION));
        }
        other => panic!("{other}"),
    }
    root.link(
        &format!("{LIBRARIES}/libcuda.so.1"),
        &format!("libcuda.so.{VERSION}"),
    );
    fs::remove_file(
        root.path()
            .join(format!("{LIBRARIES}/libnvidia-ml.so.{VERSION}")),
    )
    .unwrap();
    let error = Driver::find(root.path()).expect_err("a library is missing");
    assert!(matches!(error, GpuError::NoLibrary { .. }), "{error}");
    fs::remove_file(root.path().join("proc/driver/nvidia/version")).unwrap();
    let error = Driver::find(root.path()).expect_err("no module");
    assert!(matches!(error, GpuError::NotLoaded(_)), "{error}");
}

#[test]
fn a_library_that_is_a_link_is_followed_to_the_file_of_that_name_and_nowhere_else() {
    let Some(root) = root() else { return };
    let name = format!("libnvidia-nvvm.so.{VERSION}");
    let path = root.path().join(LIBRARIES).join(&name);
    let place = |to: &Path| {
        let _ = fs::remove_file(&path);
        symlink(to, &path).unwrap();
        Driver::find(root.path())
    };
    let elsewhere = root.write(&format!("opt/driver/{name}"), "moved");
    let driver = place(&elsewhere).unwrap();
    assert_eq!(driver.libraries[3].path, elsewhere.canonicalize().unwrap());
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join(&name), "another's").unwrap();
    let secret = root.write("etc/shadow", "secret");
    let folder = root.path().join("opt/driver").canonicalize().unwrap();
    for to in [
        outside.path().join(&name),
        secret,
        folder,
        root.path().join("dev/nvidia3"),
        root.path().join("nothing"),
    ] {
        let error = place(&to).expect_err("refused");
        assert!(
            matches!(error, GpuError::Elsewhere { .. }),
            "{to:?}: {error}"
        );
    }
}

#[test]
fn a_node_that_is_another_device_or_no_device_is_refused() {
    let Some(root) = root() else { return };
    let says = Says::idle();
    let error = || find(&root, &says, &[A]).expect_err("refused");
    root.node("dev/nvidia3", 1, 5);
    match error() {
        GpuError::Node { found, minor, .. } => {
            assert_eq!((found.as_str(), minor), ("the character device 1:5", 3));
        }
        other => panic!("{other}"),
    }
    root.link("dev/nvidia3", "/dev/null");
    assert!(matches!(error(), GpuError::Node { .. }));
    fs::remove_file(root.path().join("dev/nvidia3")).unwrap();
    assert!(matches!(error(), GpuError::NoNode { .. }));
    root.node("dev/nvidia3", 1, 3);
    fs::remove_file(root.path().join("dev/nvidia-uvm")).unwrap();
    let said = error().to_string();
    assert!(said.contains("nvidia-modprobe -u -c 0"), "{said}");
    root.write("proc/devices", "Character devices:\n  1 nvidia-frontend\n");
    assert!(matches!(
        error(),
        GpuError::NoMajor {
            name: "nvidia-uvm",
            ..
        }
    ));
}

#[test]
fn doctor_says_what_is_missing_and_how_to_get_it() {
    let Some(root) = root() else { return };
    let look = || super::super::doctor::look(root.path(), &Says::idle(), None);
    let states = |findings: &[crate::doctor::Finding]| -> Vec<(String, crate::doctor::State)> {
        findings
            .iter()
            .map(|it| (it.what.clone(), it.state))
            .collect()
    };
    use crate::doctor::State::{Absent, Limited, Ready};
    let all = |last| {
        ["GPU driver", "GPU libraries", "GPU nodes", "GPUs"]
            .map(|what| (what.to_owned(), if what == "GPUs" { last } else { Ready }))
    };
    assert_eq!(states(&look()), all(Ready));
    fs::remove_file(root.path().join("dev/nvidia11")).unwrap();
    assert_eq!(states(&look()), all(Limited));
    assert!(
        look()[3].detail.contains("1 of them free"),
        "{:?}",
        look()[3]
    );
    root.library("libcuda", "590.44.01");
    let findings = look();
    assert_eq!(findings[1].state, Absent);
    assert!(findings[1].detail.contains("reboot"), "{findings:?}");
    fs::remove_file(root.path().join("proc/driver/nvidia/version")).unwrap();
    assert_eq!(states(&look()), [("GPU driver".to_owned(), Absent)]);
}
