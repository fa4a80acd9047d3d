//! A sandbox, a store, a context, and an image `base` of busybox.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use gradus_builder::{
    BuildError, BuildLimits, Built, EPOCH_S, Event, Network, Request, Secret, StoreOnly, build,
    find,
};
use gradus_image::layout::{ImageConfig, read_config};
use gradus_image::store::{ImageRecord, Store};
use gradus_sandbox::sandbox::Sandbox;

const BUSYBOX: &str = "/bin/busybox";

/// What every yard's base is made from.
const BASE: &str = "FROM scratch
COPY root/ /
CMD [\"sh\"]
";

pub(crate) struct Yard {
    dir: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
    pub(crate) store: Store,
    /// what commands of the last build printed
    pub(crate) said: RefCell<String>,
}

/// What differs from a plain build.
#[derive(Clone)]
pub(crate) struct With<'a> {
    pub(crate) no_cache: bool,
    pub(crate) target: Option<&'a str>,
    pub(crate) args: &'a [(&'a str, &'a str)],
    pub(crate) secrets: &'a [Secret],
    pub(crate) cache_scope: Option<&'a str>,
    pub(crate) names: &'a [&'a str],
    pub(crate) limits: BuildLimits,
    pub(crate) network: Network<'a>,
}

impl Default for With<'_> {
    fn default() -> Self {
        With {
            no_cache: false,
            target: None,
            args: &[],
            secrets: &[],
            cache_scope: Some("tests"),
            names: &[],
            limits: BuildLimits {
                memory_bytes: 256 << 20,
                disk_bytes: 64 << 20,
                disk_inodes: 4096,
                cache_bytes: 16 << 20,
                ..BuildLimits::default()
            },
            network: Network::None,
        }
    }
}

impl Yard {
    /// None, said aloud, where this host cannot build.
    pub(crate) fn new() -> Option<Yard> {
        if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
            eprintln!("SKIPPED: this test needs root, and {BUSYBOX} (package busybox-static)");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(&dir.path().join("state")).unwrap();
        let store = Store::open_unflushed(&sandbox.state().images()).unwrap();
        let yard = Yard {
            dir,
            sandbox,
            store,
            said: RefCell::default(),
        };
        let root = yard.context().join("root");
        for folder in ["bin", "etc", "tmp", "usr/lib", "root"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::copy(BUSYBOX, root.join("bin/busybox")).unwrap();
        let listed = Command::new(BUSYBOX).arg("--list").output().unwrap();
        for applet in String::from_utf8(listed.stdout).unwrap().lines() {
            if applet != "busybox" {
                symlink("busybox", root.join("bin").join(applet)).unwrap();
            }
        }
        symlink("usr/lib", root.join("lib")).unwrap();
        let users = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n";
        fs::write(root.join("etc/passwd"), users).unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\nstaff:x:50:\n").unwrap();
        let with = With {
            names: &["base:latest"],
            ..With::default()
        };
        yard.build_with(BASE, &with).unwrap();
        fs::remove_dir_all(&root).unwrap();
        Some(yard)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn context(&self) -> PathBuf {
        self.path("context")
    }

    /// A file of the context.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.context().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn build_with(&self, text: &str, with: &With<'_>) -> Result<Built, BuildError> {
        self.build_until(text, with, &|| false)
    }

    pub(crate) fn build_until(
        &self,
        text: &str,
        with: &With<'_>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Built, BuildError> {
        fs::create_dir_all(self.context()).unwrap();
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let args: BTreeMap<String, String> = with.args.iter().map(pair).collect();
        let request = Request {
            dockerfile: text.as_bytes(),
            context: &self.context(),
            target: with.target.map(str::to_owned),
            args,
            secrets: with.secrets,
            cache_scope: with.cache_scope.map(str::to_owned),
            no_cache: with.no_cache,
            names: with.names.iter().map(|name| (*name).to_owned()).collect(),
            limits: with.limits.clone(),
            network: with.network,
            bases: &StoreOnly,
            epoch_s: EPOCH_S,
        };
        self.said.borrow_mut().clear();
        build(
            &self.sandbox,
            &self.store,
            &request,
            cancelled,
            &mut |event| {
                if let Event::Output(record) = event {
                    let text = String::from_utf8_lossy(&record.bytes);
                    self.said.borrow_mut().push_str(&text);
                }
            },
        )
    }

    #[track_caller]
    pub(crate) fn build(&self, text: &str) -> Built {
        self.build_with(text, &With::default())
            .unwrap_or_else(|error| panic!("{}\n{}", chain(&error), self.said.borrow()))
    }

    /// Why a build failed, with its causes.
    #[track_caller]
    pub(crate) fn fails(&self, text: &str) -> (BuildError, String) {
        self.fails_with(text, &With::default())
    }

    #[track_caller]
    pub(crate) fn fails_with(&self, text: &str, with: &With<'_>) -> (BuildError, String) {
        let error = self.build_with(text, with).expect_err("it was built");
        let text = chain(&error);
        self.assert_clean();
        (error, text)
    }

    pub(crate) fn image(&self, built: &Built) -> ImageRecord {
        find(&self.store, &built.image.to_string())
            .unwrap()
            .unwrap()
    }

    pub(crate) fn config(&self, built: &Built) -> ImageConfig {
        read_config(&self.store, &self.image(built)).unwrap()
    }

    /// Names in the layer that the last step that has one made, sorted, with `/` behind directories.
    pub(crate) fn last_layer(&self, built: &Built) -> Vec<String> {
        let image = self.image(built);
        let layer = image.layers.last().unwrap();
        let root = self.store.layer_dir(&layer.diff_id);
        let mut out = Vec::new();
        let mut open = vec![root.clone()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                if path.is_dir() && !path.is_symlink() {
                    out.push(format!("{name}/"));
                    open.push(path);
                } else {
                    out.push(name);
                }
            }
        }
        out.sort();
        out
    }

    /// Nothing of a build is left but the store and its caches.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let state = self.path("state");
        for folder in [
            "jobs",
            "ids",
            "new",
            "gone",
            "builds/running",
            "images/pins",
        ] {
            let Ok(entries) = fs::read_dir(state.join(folder)) else {
                continue;
            };
            let left: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
            assert!(left.is_empty(), "{left:?}");
        }
        // The store's own directory of temporary files is that of this process, and empty.
        for own in fs::read_dir(state.join("images/tmp")).unwrap() {
            let left = fs::read_dir(own.unwrap().path()).unwrap().count();
            assert_eq!(left, 0, "files in the store's tmp");
        }
        let state = state.canonicalize().unwrap();
        for device in fs::read_dir("/sys/block").unwrap() {
            let file = device.unwrap().path().join("loop/backing_file");
            let file = fs::read_to_string(file).unwrap_or_default();
            let is_ours = file.starts_with(state.to_str().unwrap());
            assert!(!is_ours || file.contains("/caches/"), "{file}");
        }
    }
}

impl Drop for Yard {
    /// A test that fails leaves what it was about.
    fn drop(&mut self) {
        let _ = gradus_builder::sweep(&self.sandbox);
    }
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
