use super::*;

#[test]
fn a_tree_deeper_than_any_path_and_any_stack_is_removed() {
    // A disk takes milliseconds for each directory.
    let memory = Path::new("/dev/shm");
    let dir = match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    };
    let top = dir.path().join("top");
    std::fs::create_dir(&top).unwrap();
    let mut at = rustix::fs::open(
        &top,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .unwrap();
    for _ in 0..20_000 {
        rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
        at = rustix::fs::openat(
            &at,
            "d",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .unwrap();
    }
    remove_tree(&top).unwrap();
    assert!(!top.exists());
}

#[test]
fn a_link_is_removed_and_what_it_leads_to_stays() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("file"), "x").unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("a/b")).unwrap();
    for link in ["l", "a/l", "a/b/l"] {
        std::os::unix::fs::symlink(&kept, tree.join(link)).unwrap();
    }
    // Names that the removal itself would choose.
    for name in ["gone.1", "gone.2", "gone.3"] {
        std::fs::create_dir_all(tree.join(name).join(name)).unwrap();
    }
    remove_tree(&tree).unwrap();
    assert!(!tree.exists());
    assert_eq!(std::fs::read(kept.join("file")).unwrap(), b"x");
    remove_tree(&tree).unwrap();
}
