//! Images as other programs read them: `umoci` unpacks the layers, `skopeo` reads the configuration.

use gradus_image::layout::{ExportImageOptions, export};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use crate::yard::Yard;

/// Shapes of Dockerfiles as people write them for trainers; each with the files that it needs.
const SHAPES: [(&str, &str); 8] = [
    (
        "pip",
        "FROM base\nENV PYTHONUNBUFFERED=1\nWORKDIR /app\nCOPY requirements.txt .\nRUN cat requirements.txt > installed \\\n    # a comment\n    && rm -rf /tmp/* \nCOPY . .\nENTRYPOINT [\"sh\", \"run.sh\"]\n",
    ),
    (
        "uv",
        "FROM base\nCOPY --from=base /bin/busybox /bin/cat /opt/uv/\nENV UV_LINK_MODE copy\nRUN /opt/uv/busybox true\nWORKDIR /workspace\nCOPY scripts ./scripts\nRUN chmod +x scripts/*.sh\nENTRYPOINT [\"./scripts/entry.sh\"]\n",
    ),
    (
        "stages",
        "FROM base AS build\nRUN mkdir -p /out/bin && echo made > /out/bin/tool && chmod 755 /out/bin/tool\nFROM base AS test\nCOPY --from=build /out /out\nRUN cat /out/bin/tool\nFROM base\nCOPY --from=build /out/ /usr/local/\nCOPY --from=test /out/bin/tool /tested\nCMD [\"/usr/local/bin/tool\"]\n",
    ),
    (
        "user",
        "FROM base\nRUN mkdir -p /home/app /data && chown app /home/app /data && chmod 2775 /data\nUSER app:staff\nWORKDIR /home/app\nCOPY --chown=app:staff scripts/ bin/\nRUN touch mine && ln -s mine link && ln mine again\nVOLUME /data\nEXPOSE 8080 9000-9001/udp\nCMD [\"sh\"]\n",
    ),
    (
        "here",
        "FROM base\nRUN <<EOF\nset -e\nmkdir /made\necho one > /made/one\nEOF\nCOPY <<conf /etc/app.conf\nkey = value\nconf\nLABEL a=1 b=\"two words\"\nHEALTHCHECK --interval=30s CMD true\nSTOPSIGNAL SIGINT\n",
    ),
    (
        "whiteouts",
        "FROM base\nRUN mkdir -p /d/in && touch /d/a /d/in/b /gone\nRUN rm -r /d /gone /etc/group && mkdir /d && touch /d/new\nRUN rm /bin/yes && mkdir /bin/yes && mv /usr/lib /usr/other\nENV PATH=/opt:$PATH\n",
    ),
    (
        "args",
        "ARG TAG=latest\nFROM base:${TAG}\nARG NAME=x\nENV GREETING=\"hi ${NAME:-none}\" EMPTY=\nRUN echo $GREETING > /greeting\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN echo shell > /shell\nENTRYPOINT echo $GREETING\nCMD ignored\n",
    ),
    (
        "tree",
        "FROM scratch\nCOPY --from=base / /\nADD files.tar /srv/\nRUN mkfifo /pipe && chmod 1777 /srv && chmod 0 /etc/passwd && ln -s /nowhere /dangling && touch '/a name with spaces' && ln /pipe /pipe2\nWORKDIR relative\nWORKDIR deeper\nMAINTAINER me\n",
    ),
];

/// What a tree is: kind, permissions, owner, content or target, and what other names a file has.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut first: BTreeMap<u64, String> = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                open.push(path.clone());
            }
            files.push(path);
        }
    }
    files.sort();
    for path in files {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let meta = fs::symlink_metadata(&path).unwrap();
        let kind = meta.file_type();
        let mut facts = format!("{:o} {}:{} ", meta.mode() & 0o7777, meta.uid(), meta.gid());
        if kind.is_symlink() {
            facts = format!(
                "{}:{} -> {}",
                meta.uid(),
                meta.gid(),
                fs::read_link(&path).unwrap().display()
            );
        } else if kind.is_dir() {
            facts += "directory";
        } else if kind.is_fifo() {
            facts += "pipe";
        } else {
            let bytes = fs::read(&path).unwrap();
            facts += &format!(
                "{} bytes {:x}",
                bytes.len(),
                bytes
                    .iter()
                    .fold(7u64, |hash, byte| (hash ^ u64::from(*byte))
                        .wrapping_mul(0x100_0000_01b3))
            );
        }
        if meta.nlink() > 1 && !kind.is_dir() {
            facts += &format!(
                " = {}",
                first.entry(meta.ino()).or_insert_with(|| name.clone())
            );
        }
        out.insert(name, facts);
    }
    out
}

fn there(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: {tool} is not installed");
    }
    found
}

#[test]
fn umoci_and_skopeo_read_what_was_built() {
    let Some(yard) = Yard::new() else { return };
    if !there("umoci") || !there("skopeo") {
        return;
    }
    yard.write("requirements.txt", "torch\n");
    yard.write("run.sh", "echo run\n");
    yard.write("scripts/entry.sh", "#!/bin/sh\n");
    yard.write("scripts/deep/x", "");
    yard.write("t/file", "in an archive");
    let tar = Command::new("tar")
        .current_dir(yard.context())
        .args([
            "-cf",
            "files.tar",
            "--owner=3",
            "--group=4",
            "-C",
            "t",
            "file",
        ])
        .status();
    assert!(tar.unwrap().success());
    for (name, text) in SHAPES {
        let built = yard.build(text);
        let image = yard.image(&built);
        let layout = yard.path(&format!("layout-{name}"));
        let options = ExportImageOptions {
            reference: Some("t".to_owned()),
            ..ExportImageOptions::default()
        };
        export(&yard.store, &image, &layout, &options).unwrap();
        // The tree: unpacked by another, and as a command of the next build sees it.
        let bundle = yard.path(&format!("bundle-{name}"));
        let unpacked = Command::new("umoci")
            .arg("unpack")
            .arg("--image")
            .arg(format!("{}:t", layout.display()))
            .arg(&bundle)
            .output()
            .unwrap();
        assert!(
            unpacked.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&unpacked.stderr)
        );
        let theirs = tree(&bundle.join("rootfs"));
        let merged = yard.path(&format!("merged-{name}"));
        merge(&yard, &image, &merged);
        let ours = tree(&merged);
        for (path, facts) in &theirs {
            assert_eq!(ours.get(path), Some(facts), "{name}: {path}");
        }
        assert_eq!(ours.len(), theirs.len(), "{name}");
        assert!(theirs.len() > 100, "{name} has a tree");
        // The configuration.
        let read = |arguments: &[&str]| -> Value {
            let output = Command::new("skopeo")
                .arg("inspect")
                .args(arguments)
                .arg(format!("oci:{}:t", layout.display()))
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{name}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let inspected = read(&["--config"]);
        let run = yard.config(&built).config;
        let found = &inspected["config"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| -> Option<Vec<String>> {
            value.as_array().map(|all| all.iter().map(text).collect())
        };
        assert_eq!(list(&found["Env"]).unwrap_or_default(), run.env, "{name}");
        assert_eq!(text(&found["User"]), run.user, "{name}");
        assert_eq!(text(&found["WorkingDir"]), run.working_dir, "{name}");
        assert_eq!(list(&found["Entrypoint"]), run.entrypoint, "{name}");
        assert_eq!(list(&found["Cmd"]), run.cmd, "{name}");
        assert_eq!(
            inspected["history"].as_array().unwrap().len(),
            yard.config(&built).history.len()
        );
        assert_eq!(
            read(&[])["Layers"].as_array().unwrap().len(),
            image.layers.len(),
            "{name}"
        );
        assert_eq!(
            expected(name),
            (
                list(&found["Entrypoint"]),
                list(&found["Cmd"]),
                text(&found["User"]),
                text(&found["WorkingDir"])
            ),
            "{name}"
        );
    }
}

type Facts = (Option<Vec<String>>, Option<Vec<String>>, String, String);

/// What each Dockerfile says, read by hand.
fn expected(name: &str) -> Facts {
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let facts =
        |entrypoint, cmd, user: &str, dir: &str| (entrypoint, cmd, user.to_owned(), dir.to_owned());
    match name {
        "pip" => facts(words(&["sh", "run.sh"]), None, "", "/app"),
        "uv" => facts(words(&["./scripts/entry.sh"]), None, "", "/workspace"),
        "stages" => facts(None, words(&["/usr/local/bin/tool"]), "", "/"),
        "user" => facts(None, words(&["sh"]), "app:staff", "/home/app"),
        "here" | "whiteouts" => facts(None, words(&["sh"]), "", "/"),
        "args" => facts(
            words(&["/bin/sh", "-ec", "echo $GREETING"]),
            words(&["/bin/sh", "-ec", "ignored"]),
            "",
            "/",
        ),
        _ => facts(None, None, "", "/relative/deeper"),
    }
}

/// The layers under an overlay that the kernel mounts, copied by `cp`.
fn merge(yard: &Yard, image: &gradus_image::store::ImageRecord, to: &Path) {
    let layers = yard.store.layer_dirs(image).unwrap();
    let lower = yard.path("lower");
    fs::create_dir_all(&lower).unwrap();
    fs::create_dir(to).unwrap();
    let dirs: Vec<String> = layers.iter().map(|dir| dir.display().to_string()).collect();
    let empty = yard.path("empty");
    fs::create_dir_all(&empty).unwrap();
    let script = format!(
        "mount -t overlay -o userxattr,lowerdir={}:{} overlay {} && cp -a {}/. {}; code=$?; umount {}; exit $code",
        dirs.join(":"),
        empty.display(),
        lower.display(),
        lower.display(),
        to.display(),
        lower.display()
    );
    let done = Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
