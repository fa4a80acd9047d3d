//! Candidates that want to be run, or to make whoever reads them explode: nothing of them is run, what is read ends in an error that names it,
//! in little time and memory, and the host is as it was.

use crate::binary::{Finished, command, example, finish, gradus};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A candidate's directory, and a file that is there when something of it was run.
struct Candidate {
    folder: tempfile::TempDir,
}

impl Candidate {
    fn with(files: &[&str], of: &Path) -> Candidate {
        let candidate = Candidate {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(candidate.dir()).unwrap();
        for name in files {
            fs::copy(of.join(name), candidate.dir().join(name)).unwrap();
        }
        candidate
    }

    fn adapter(files: &[&str]) -> Candidate {
        Candidate::with(files, &example("candidates/careful"))
    }

    fn full(files: &[&str]) -> Candidate {
        Candidate::with(files, &example("model"))
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("candidate")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.dir().join(name), content).unwrap();
    }

    fn canary(&self) -> PathBuf {
        self.folder.path().join("was-run")
    }

    /// A pickle that has whoever loads it run a command, in the oldest protocol, which all know.
    fn payload(&self) -> String {
        format!("cposix\nsystem\n(S'touch {}'\ntR.", self.canary().display())
    }

    /// Evaluates it: whatever becomes of it, nothing of it was run, and nothing beside it was written.
    #[track_caller]
    fn evaluated(&self) -> Finished {
        let before = listing(self.folder.path());
        let candidate = format!("it={}", self.dir().display());
        let begun = Instant::now();
        let done = finish(
            command()
                .args(["eval", "-c", &candidate])
                .arg(example("task.json")),
        );
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "{}",
            done.stderr
        );
        assert_eq!(listing(self.folder.path()), before, "{}", done.stdout);
        assert!(!self.canary().exists());
        done
    }

    #[track_caller]
    fn is_refused(&self, because: &str) {
        let done = self.evaluated();
        let said = format!("{}{}", done.stdout, done.stderr);
        assert_eq!(done.code, Some(3), "{because}: {said}");
        for text in ["it has no score (fault: submission)", because] {
            assert!(done.stdout.contains(text), "{text} is not in: {said}");
        }
    }
}

fn listing(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                open.push(path.clone());
            }
            found.push((path, meta.len()));
        }
    }
    found.sort();
    found
}

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

#[test]
fn a_pickled_candidate_is_refused_by_name_and_nothing_of_it_is_run() {
    // That it would be run is what Python says.
    let live = Candidate::adapter(&[CONFIG]);
    live.write("adapter_model.bin", live.payload());
    let load = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))";
    let python = Command::new("python3")
        .args(["-c", load])
        .arg(live.dir().join("adapter_model.bin"))
        .status();
    match python {
        Ok(_) => assert!(live.canary().exists(), "the payload does nothing"),
        Err(_) => println!("skipped: what a pickle does is asked of python3"),
    }
    for name in [
        "adapter_model.bin",
        "adapter_model.pt",
        "weights.pkl",
        "x.CKPT",
    ] {
        let candidate = Candidate::adapter(&[CONFIG]);
        candidate.write(name, candidate.payload());
        candidate.is_refused(name);
    }
    let full = Candidate::full(&["config.json"]);
    full.write("pytorch_model.bin", full.payload());
    full.is_refused("pytorch_model.bin");
    // Under another name it is no file of parameters.
    let renamed = Candidate::adapter(&[CONFIG]);
    renamed.write(WEIGHTS, renamed.payload());
    renamed.is_refused(WEIGHTS);
    // Beside what is one, it is not opened.
    let beside = Candidate::adapter(&[CONFIG, WEIGHTS]);
    beside.write("training_args.bin", beside.payload());
    beside.write("optimizer.pt", beside.payload());
    let done = beside.evaluated();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

/// The parts of the example's parameters.
fn parts() -> (Map<String, Value>, Vec<u8>) {
    let bytes = fs::read(example("candidates/careful").join(WEIGHTS)).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    (header, bytes[8 + length..].to_vec())
}

fn whole(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// A change to one tensor's entry in the header.
type Change<'a> = &'a dyn Fn(&mut Value);

#[test]
fn parameters_that_lie_about_themselves_are_refused_in_little_memory() {
    let (header, data) = parts();
    let (first, second) = {
        let mut names = header.keys().filter(|name| *name != "__metadata__");
        (names.next().unwrap().clone(), names.next().unwrap().clone())
    };
    let good = Value::Object(header.clone()).to_string();
    let mut files: Vec<(&str, Vec<u8>)> = Vec::new();
    for length in [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 40, 33 << 20] {
        let mut bytes = whole(&good, &data);
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        files.push(("a header's length", bytes));
    }
    files.push(("nesting", whole(&"[".repeat(1 << 20), &data)));
    files.push(("no object", whole("[]", &data)));
    let twice = format!("{},{}", &good[..good.len() - 1], &good[1..]);
    files.push(("each name twice", whole(&twice, &data)));
    let offsets = header[&second]["data_offsets"].clone();
    let changes: [(&str, Change<'_>); 12] = [
        ("another's bytes", &|it| {
            it["data_offsets"] = offsets.clone()
        }),
        ("a gap", &|it| it["data_offsets"][0] = json!(4)),
        ("beyond the end", &|it| {
            it["data_offsets"][1] = json!(1_u64 << 62)
        }),
        ("backwards", &|it| it["data_offsets"] = json!([8, 0])),
        ("below zero", &|it| it["data_offsets"][0] = json!(-1)),
        ("too large to count", &|it| {
            it["shape"] = json!([1_u64 << 33, 1_u64 << 33]);
        }),
        ("largest of all", &|it| {
            it["shape"] = json!([u64::MAX, u64::MAX])
        }),
        ("many dimensions", &|it| {
            it["shape"] = json!([1, 1, 1, 1, 1, 1, 1, 1, 8, 432])
        }),
        ("a type of its own", &|it| it["dtype"] = json!("PICKLE")),
        ("another field", &|it| it["code"] = json!("import os")),
        ("no number", &|it| it["shape"] = json!(["8", "432"])),
        ("another shape", &|it| {
            it["shape"].as_array_mut().unwrap().reverse()
        }),
    ];
    for (what, change) in changes {
        let mut changed = header.clone();
        change(&mut changed[&first]);
        let text = Value::Object(changed).to_string();
        files.push((what, whole(&text, &data)));
    }
    let mut named = header.clone();
    let entry = named.remove(&first).unwrap();
    named.insert("x".repeat(1 << 16), entry);
    files.push((
        "a long name",
        whole(&Value::Object(named).to_string(), &data),
    ));
    for (what, value) in [("not a number", f32::NAN), ("infinity", f32::INFINITY)] {
        let mut data = data.clone();
        data[..4].copy_from_slice(&value.to_le_bytes());
        files.push((what, whole(&good, &data)));
    }
    let candidate = Candidate::adapter(&[CONFIG, WEIGHTS]);
    // That much is enough for what is right: more than that, asked for by what is wrong, would end it otherwise.
    let little = |candidate: &Candidate| {
        let mut shell = Command::new("sh");
        let eval = "ulimit -v 4000000; exec \"$0\" \"$@\"";
        shell.args(["-c", eval]).arg(gradus()).arg("eval");
        shell.args(["-c", &format!("it={}", candidate.dir().display())]);
        let began = Instant::now();
        let done = finish(shell.arg(example("task.json")));
        assert!(began.elapsed() < Duration::from_secs(60), "{}", done.stderr);
        done
    };
    let right = little(&candidate);
    assert_eq!(right.code, Some(0), "{}{}", right.stdout, right.stderr);
    for (what, bytes) in files {
        candidate.write(WEIGHTS, bytes);
        let done = little(&candidate);
        let said = format!("{what}: {}{}", done.stdout, done.stderr);
        assert_eq!(done.code, Some(3), "{said}");
        assert!(
            done.stdout.contains("it has no score (fault: submission)"),
            "{said}"
        );
    }
    // And a header that is all there, and long.
    let file = fs::File::create(candidate.dir().join(WEIGHTS)).unwrap();
    file.set_len(64 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &(1_u64 << 35).to_le_bytes(), 0).unwrap();
    let done = little(&candidate);
    assert_eq!(done.code, Some(3), "{}{}", done.stdout, done.stderr);
}

const MODEL: [&str; 2] = ["config.json", "model.safetensors"];

#[test]
fn code_tokenizers_and_templates_of_a_candidate_are_neither_run_nor_read() {
    let plain = Candidate::full(&MODEL).evaluated();
    assert_eq!(plain.code, Some(0), "{}{}", plain.stdout, plain.stderr);

    let hostile = Candidate::full(&MODEL);
    let canary = hostile.canary().display().to_string();
    let mut config: Value =
        serde_json::from_slice(&fs::read(example("model/config.json")).unwrap()).unwrap();
    config["auto_map"] = json!({
        "AutoConfig": "configuration_evil.EvilConfig", "AutoModelForCausalLM": "nobody/elsewhere--modeling_evil.EvilModel",
    });
    config["trust_remote_code"] = json!(true);
    hostile.write("config.json", config.to_string());
    let code = format!("open({canary:?}, 'w')\n");
    for name in ["configuration_evil.py", "modeling_evil.py", "setup.py"] {
        hostile.write(name, &code);
    }
    let template = format!(
        "{{{{ cycler.__init__.__globals__.os.popen('touch {canary}').read() }}}}{{% for i in range(1000000000) %}}x{{% endfor %}}"
    );
    hostile.write("chat_template.jinja", &template);
    let tokenizer = json!({
        "auto_map": {"AutoTokenizer": ["tokenization_evil.Evil", null]}, "chat_template": template,
        "tokenizer_class": "Evil",
    });
    hostile.write("tokenizer_config.json", tokenizer.to_string());
    hostile.write("tokenizer.json", "{".repeat(1 << 20));
    hostile.write("generation_config.json", [0xff; 64]);
    std::os::unix::fs::symlink("/etc/shadow", hostile.dir().join("special_tokens_map.json"))
        .unwrap();
    std::os::unix::fs::symlink("/dev/zero", hostile.dir().join("added_tokens.json")).unwrap();
    let done = hostile.evaluated();
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let score = |done: &Finished| {
        let row = done.stdout.lines().find(|line| line.contains("  it"));
        row.unwrap_or_else(|| panic!("{}", done.stdout)).to_owned()
    };
    assert_eq!(score(&done), score(&plain), "it counts for something");
    for text in ["auto_map", ".py"] {
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(said.contains(text), "{text} is not in: {said}");
    }

    // What a checkpoint's own files lead to is not read either.
    for name in ["config.json", "model.safetensors"] {
        let linked = Candidate::full(&MODEL);
        let outside = linked.folder.path().join("outside");
        fs::rename(linked.dir().join(name), &outside).unwrap();
        std::os::unix::fs::symlink(&outside, linked.dir().join(name)).unwrap();
        linked.is_refused(name);
    }
}

/// An adapter's configuration names functions and modules that others would import.
#[test]
fn an_adapter_that_asks_for_what_is_not_known_is_refused_by_the_field() {
    for (field, value) in [
        ("peft_type", json!("EVIL")),
        ("init_lora_weights", json!("pissa")),
        ("use_evil", json!(true)),
        ("target_modules", json!("(a+)+$")),
    ] {
        let candidate = Candidate::adapter(&[CONFIG, WEIGHTS]);
        let mut config: Value =
            serde_json::from_slice(&fs::read(candidate.dir().join(CONFIG)).unwrap()).unwrap();
        config[field] = value;
        config["auto_mapping"] = json!({"base_model_class": "Evil", "parent_library": "evil"});
        candidate.write(CONFIG, config.to_string());
        candidate.write("evil.py", format!("open({:?}, 'w')", candidate.canary()));
        let done = candidate.evaluated();
        assert_eq!(
            done.code,
            Some(3),
            "{field}: {}{}",
            done.stdout,
            done.stderr
        );
    }
}
