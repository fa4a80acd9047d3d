use super::server::{COMMIT, FakeHub, Trouble};
use super::*;
use std::fs;

struct Setup {
    server: FakeHub,
    cache: tempfile::TempDir,
    settings: HubSettings,
}

fn weights() -> Vec<u8> {
    (0..300_000u32)
        .flat_map(|i| (i.wrapping_mul(2_654_435_761)).to_le_bytes())
        .collect()
}

fn setup(files: &[(&str, Vec<u8>)]) -> Setup {
    let server = FakeHub::start(files);
    let cache = tempfile::tempdir().expect("a temporary directory");
    let settings = HubSettings {
        endpoint: server.endpoint(),
        cache: cache.path().to_owned(),
        token: None,
        offline: false,
        retries: 3,
        retry_wait: Duration::from_millis(1),
        bytes_max: 1 << 30,
    };
    Setup {
        server,
        cache,
        settings,
    }
}

fn model() -> Setup {
    setup(&[
        ("config.json", b"{}".to_vec()),
        ("tokenizer.json", b"{\"a\": 1}".to_vec()),
        ("model.safetensors", weights()),
        ("pytorch_model.bin", b"never".to_vec()),
        ("modeling.py", b"never".to_vec()),
        ("README.md", b"never".to_vec()),
    ])
}

impl Setup {
    fn fetch(&self, id: &str) -> Result<Fetched, HubError> {
        Hub::new(self.settings.clone())?.fetch(id, &mut |_| {})
    }
}

#[test]
fn only_what_is_needed_is_fetched_and_once() {
    let s = model();
    let mut seen = Vec::new();
    let hub = Hub::new(s.settings.clone()).expect("valid");
    let found = hub
        .fetch("org/model", &mut |p| {
            seen.push((p.file.to_owned(), p.done_bytes, p.total_bytes))
        })
        .expect("there");
    assert_eq!(found.commit, COMMIT);
    assert!(
        found
            .dir
            .ends_with(format!("models--org--model/snapshots/{COMMIT}"))
    );
    let mut names: Vec<_> = fs::read_dir(&found.dir)
        .expect("a directory")
        .map(|e| e.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["config.json", "model.safetensors", "tokenizer.json"]
    );
    assert_eq!(
        fs::read(found.dir.join("model.safetensors")).expect("there"),
        weights()
    );
    assert_eq!(
        fs::read_to_string(s.cache.path().join("models--org--model/refs/main")).expect("there"),
        COMMIT
    );
    let last = seen
        .iter()
        .rfind(|(file, ..)| file == "model.safetensors")
        .expect("reported");
    assert_eq!((last.1, last.2), (1_200_000, 1_200_000));
    let before = s.server.gets_of("model.safetensors").len();
    assert_eq!(s.fetch("org/model@main").expect("there"), found);
    assert_eq!(
        s.server.gets_of("model.safetensors").len(),
        before,
        "it was here already"
    );
    gradus_checkpoint::source::SourceDir::open(&found.dir)
        .expect("a directory")
        .read("config.json", 9)
        .expect("a link to a blob");
}

#[test]
fn a_broken_transfer_goes_on_where_it_stopped() {
    let s = model();
    s.server.trouble(
        "GET",
        "/storage/model.safetensors",
        Trouble::CutAfter(500_000),
        1,
    );
    let found = s.fetch("org/model").expect("there in the end");
    assert_eq!(
        fs::read(found.dir.join("model.safetensors")).expect("there"),
        weights()
    );
    let ranges: Vec<_> = s
        .server
        .gets_of("/storage/model.safetensors")
        .into_iter()
        .map(|r| r.range)
        .collect();
    assert_eq!(ranges, [None, Some("bytes=500000-".to_owned())]);
}

#[test]
fn what_an_earlier_run_left_is_used_and_checked() {
    let s = model();
    s.server.trouble(
        "GET",
        "/storage/model.safetensors",
        Trouble::CutAfter(400_000),
        1,
    );
    s.server
        .trouble("GET", "/storage/model.safetensors", Trouble::Status(418), 1);
    let error = s.fetch("org/model").expect_err("it ends there");
    assert!(
        matches!(error, HubError::Status { status: 418, .. }),
        "{error}"
    );
    s.fetch("org/model").expect("goes on");
    assert_eq!(
        s.server
            .gets_of("/storage/model.safetensors")
            .last()
            .and_then(|r| r.range.clone()),
        Some("bytes=400000-".to_owned())
    );

    // A partial file with the right length so far and the wrong content.
    let s = model();
    s.server
        .trouble("GET", "/storage/model.safetensors", Trouble::Status(418), 1);
    s.fetch("org/model").expect_err("it ends there");
    let blobs = s.cache.path().join("models--org--model/blobs");
    let partial = fs::read_dir(&blobs)
        .expect("there")
        .map(|e| e.expect("an entry").path())
        .find(|p| p.extension().is_some_and(|e| e == "incomplete"));
    fs::write(partial.expect("one was begun"), [7; 1000]).expect("written");
    let found = s
        .fetch("org/model")
        .expect("found out, thrown away, fetched anew");
    assert_eq!(
        fs::read(found.dir.join("model.safetensors")).expect("there"),
        weights()
    );
}

#[test]
fn a_server_without_ranges_sends_the_whole_file_again() {
    let s = model();
    s.server.trouble(
        "GET",
        "/storage/model.safetensors",
        Trouble::CutAfter(500_000),
        1,
    );
    s.server
        .trouble("GET", "/storage/model.safetensors", Trouble::NoRanges, 1);
    let found = s.fetch("org/model").expect("there");
    assert_eq!(
        fs::read(found.dir.join("model.safetensors")).expect("there"),
        weights()
    );
}

#[test]
fn a_wrong_byte_is_noticed_in_large_and_small_files_and_never_kept() {
    for (name, path) in [
        ("model.safetensors", "/storage/model.safetensors"),
        ("config.json", "config.json"),
    ] {
        let s = model();
        s.server.trouble("GET", path, Trouble::Corrupt, 1);
        s.fetch("org/model").expect("the second try is right");
        let s = model();
        s.server.trouble("GET", path, Trouble::Corrupt, 99);
        let error = s.fetch("org/model").expect_err("never right");
        assert!(
            matches!(&error, HubError::Checksum { name: n, .. } if n == name),
            "{error}"
        );
        assert_eq!(error.owner(), Owner::Host);
        assert!(
            !s.cache
                .path()
                .join("models--org--model/snapshots")
                .join(COMMIT)
                .join(name)
                .exists()
        );
    }
}

#[test]
fn a_busy_hub_is_asked_again_and_then_given_up() {
    let s = model();
    s.server
        .trouble("GET", "/revision/main", Trouble::Status(503), 2);
    s.server
        .trouble("HEAD", "model.safetensors", Trouble::Status(502), 3);
    s.server
        .trouble("GET", "/storage/model.safetensors", Trouble::Status(429), 1);
    s.fetch("org/model").expect("patience");
    let s = model();
    s.server.trouble("GET", "*", Trouble::Status(503), 99);
    let error = s.fetch("org/model").expect_err("no patience is endless");
    assert!(
        matches!(error, HubError::Status { status: 503, .. }) && error.owner() == Owner::Host,
        "{error}"
    );
    assert_eq!(s.server.log().len(), 4);
}

#[test]
fn a_private_model_needs_the_token_which_no_message_shows_and_no_other_host_gets() {
    let mut s = model();
    s.server.require_token("hf_secret");
    let error = s.fetch("org/model").expect_err("no token");
    assert!(
        error.to_string().contains("set HF_TOKEN") && error.owner() == Owner::Submission,
        "{error}"
    );
    s.settings.token = Some(Token::new(" hf_wrong\n").expect("trimmed"));
    let error = s.fetch("org/model").expect_err("the wrong token");
    let shown = format!(
        "{error} {error:?} {:?} {:?}",
        s.settings,
        Hub::new(s.settings.clone())
    );
    assert!(
        shown.contains("what HF_TOKEN may read") && !shown.contains("hf_wrong"),
        "{shown}"
    );
    s.settings.token = Some(Token::new("hf_secret").expect("valid"));
    s.fetch("org/model").expect("allowed");
    let storage = s.server.gets_of("/storage/model.safetensors");
    assert!(
        !storage.is_empty()
            && storage
                .iter()
                .all(|r| r.token.is_none() && r.host.starts_with("localhost"))
    );
    s.settings.endpoint = "http://example.org".to_owned();
    assert!(matches!(
        Hub::new(s.settings),
        Err(HubError::InsecureToken { .. })
    ));
    for bad in ["", "a b", "a\r\nx: y", "ü"] {
        assert!(
            matches!(Token::new(bad), Err(HubError::BadToken)),
            "{bad:?}"
        );
    }
}

#[test]
fn what_is_not_there_is_said_by_name() {
    let s = model();
    let error = s.fetch("org/other").expect_err("unknown");
    assert!(
        matches!(error, HubError::NotFound { .. }) && error.owner() == Owner::Submission,
        "{error}"
    );
    s.server.remove("model.safetensors");
    let error = s.fetch("org/model").expect_err("a pickle only");
    assert!(
        error
            .to_string()
            .contains("only pytorch_model.bin, a pickle"),
        "{error}"
    );
    s.server.remove("config.json");
    assert!(matches!(s.fetch("org/model"), Err(HubError::NoFile { .. })));
    let closed = HubSettings {
        endpoint: "http://127.0.0.1:1".to_owned(),
        ..s.settings.clone()
    };
    let error = Hub::new(closed)
        .expect("valid")
        .fetch("org/model", &mut |_| {})
        .expect_err("nobody there");
    assert!(
        matches!(error, HubError::Network { .. }) && error.owner() == Owner::Host,
        "{error}"
    );
}

#[test]
fn shards_come_with_their_index_and_an_adapter_alone() {
    let index = br#"{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"#.to_vec();
    let s = setup(&[
        ("config.json", b"{}".to_vec()),
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", vec![1; 10]),
        ("model-2.safetensors", vec![2; 10]),
        ("model-3.safetensors", vec![3; 10]),
    ]);
    let found = s.fetch("org/model").expect("there");
    assert!(
        found.dir.join("model-2.safetensors").is_file()
            && !found.dir.join("model-3.safetensors").exists()
    );
    let mut small = s.settings.clone();
    small.bytes_max = 85;
    let error = Hub::new(small)
        .expect("valid")
        .fetch("org/model", &mut |_| {})
        .expect_err("too large");
    assert!(matches!(error, HubError::TooLarge { .. }), "{error}");
    s.server.remove("model-2.safetensors");
    assert!(
        matches!(s.fetch("org/model"), Err(HubError::NoFile { name, .. }) if name == "model-2.safetensors")
    );

    let s = setup(&[
        ("adapter_config.json", b"{}".to_vec()),
        ("adapter_model.safetensors", vec![1; 10]),
        ("config.json", b"{}".to_vec()),
        ("model.safetensors", vec![2; 10]),
    ]);
    let found = s.fetch("org/model").expect("there");
    assert!(
        found.dir.join("adapter_model.safetensors").is_file()
            && !found.dir.join("model.safetensors").exists()
    );
}

#[test]
fn offline_uses_the_cache_and_never_the_network() {
    let mut s = model();
    s.settings.offline = true;
    let error = s.fetch("org/model").expect_err("nothing yet");
    assert!(
        error.to_string().contains("without --offline") && s.server.log().is_empty(),
        "{error}"
    );
    s.settings.offline = false;
    let online = s.fetch("org/model@v1/x").expect("there");
    let asked = s.server.log().len();
    s.settings.offline = true;
    assert_eq!(s.fetch("org/model@v1/x").expect("cached"), online);
    assert_eq!(
        s.fetch(&format!("org/model@{COMMIT}")).expect("cached"),
        online
    );
    assert!(
        s.fetch("org/model@v2")
            .expect_err("another")
            .to_string()
            .contains("revision v2 is not known")
    );
    fs::remove_file(online.dir.join("model.safetensors")).expect("removed");
    assert!(
        s.fetch("org/model@v1/x")
            .expect_err("not whole")
            .to_string()
            .contains("no model.safetensors")
    );
    assert_eq!(s.server.log().len(), asked);
}

#[test]
fn settings_come_from_the_variables_that_other_programs_use() {
    let read = |pairs: &[(&str, &str)]| {
        HubSettings::from_variables(false, |name| {
            pairs
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        })
    };
    let cache = |pairs: &[(&str, &str)]| read(pairs).expect("valid").cache;
    assert_eq!(
        cache(&[("HOME", "/h")]),
        Path::new("/h/.cache/huggingface/hub")
    );
    assert_eq!(
        cache(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]),
        Path::new("/x/huggingface/hub")
    );
    assert_eq!(
        cache(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/f")]),
        Path::new("/f/hub")
    );
    assert_eq!(
        cache(&[("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")]),
        Path::new("/c")
    );
    assert!(matches!(read(&[]), Err(HubError::NoCache)));
    let s = read(&[
        ("HOME", "/h"),
        ("HF_ENDPOINT", "https://mirror/"),
        ("HF_HUB_OFFLINE", "1"),
        ("HF_TOKEN", "hf_x"),
    ])
    .expect("valid");
    assert!(s.endpoint == "https://mirror" && s.offline && s.token.is_some());
    assert!(matches!(
        read(&[("HOME", "/h"), ("HF_TOKEN", "a b")]),
        Err(HubError::BadToken)
    ));
}

#[test]
fn ids_that_would_leave_the_cache_or_the_url_are_refused() {
    for bad in [
        "model", "a/b/c", "../b", "a/..", "a/b@../x", "a/b@", "a/b@x//y", "a/b?c", "a/b#c",
        "a b/c", "/b", "a/", "a--b/c", "a/b@x y", "a/b@\0",
    ] {
        assert!(bad.parse::<ModelId>().is_err(), "{bad:?}");
    }
    let id: ModelId = "HuggingFaceTB/SmolLM2-135M_x.y@refs/pr/1"
        .parse()
        .expect("valid");
    assert_eq!(
        (id.repo.as_str(), id.revision.as_str()),
        ("HuggingFaceTB/SmolLM2-135M_x.y", "refs/pr/1")
    );
    assert_eq!(id.to_string(), "HuggingFaceTB/SmolLM2-135M_x.y@refs/pr/1");
}
