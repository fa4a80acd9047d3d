use super::*;

fn key(text: &str) -> Key {
    let steps = steps(text);
    let mut key = Key::image("sha256:0", &Platform::default());
    for step in &steps {
        let digests = vec![[7; 32]; step.inputs().len()];
        key = step.key(&key, &digests).unwrap();
    }
    key
}

#[test]
fn whatever_changes_a_layer_changes_its_key() {
    let texts = [
        "RUN x",
        "RUN y",
        "RUN x y",
        "RUN [\"x\"]",
        "RUN [\"x\", \"\"]",
        "RUN --network=none x",
        "RUN --mount=type=tmpfs,target=/t x",
        "RUN --mount=type=cache,target=/t x",
        "RUN --mount=type=cache,target=/t,ro x",
        "RUN --mount=target=/t x",
        "ENV a=b\nRUN x",
        "ENV a=c\nRUN x",
        "ARG a=d\nRUN x",
        "USER 1\nRUN x",
        "WORKDIR /\nRUN x",
        "SHELL [\"/bin/bash\", \"-c\"]\nRUN x",
        "RUN x\nRUN x",
        "COPY x /",
        "COPY x /y",
        "COPY x /y/",
        "ADD x /",
        "COPY --chmod=1 x /",
        "COPY --chown=1 x /",
        "COPY --link x /",
        "COPY --from=image x /",
        "COPY <<x /\nx",
        "COPY <<x /\n\nx",
        "ADD https://x /z",
        "ADD https://x/y /",
        "ADD https://x/y.git#ce013625030ba8dba906f756967f9e9ca394464a /",
        "ADD https://x/y.git#de013625030ba8dba906f756967f9e9ca394464a /",
        "ADD https://x/y.git#ce013625030ba8dba906f756967f9e9ca394464a:a /",
        "WORKDIR /x",
    ];
    let keys: std::collections::BTreeSet<Key> = texts.iter().map(|t| key(t)).collect();
    assert_eq!(keys.len(), texts.len());
}

#[test]
fn what_changes_no_layer_keeps_its_key() {
    let run = key("RUN x");
    for text in [
        "LABEL a=b\nRUN x",
        "RUN x\nLABEL a=b",
        "CMD y\nRUN x",
        "ARG none\nRUN x",
        "RUN \\\n x",
        "run x",
    ] {
        assert_eq!(key(text), run, "{text}");
    }
    assert_eq!(key("ARG d=/y\nCOPY x $d"), key("ARG d=/y\nCOPY ./x /y"));
}

#[test]
fn parents_inputs_platforms_and_digests_are_part_of_it() {
    let step = &steps("COPY x /y")[0];
    let amd = Platform::default();
    let arm = Platform {
        arch: "arm64".to_owned(),
        ..Platform::default()
    };
    let (one, two) = (Key::image("sha256:0", &amd), Key::image("sha256:1", &amd));
    let keys = [
        step.key(&one, &[[0; 32]]).unwrap(),
        step.key(&one, &[[1; 32]]).unwrap(),
        step.key(&two, &[[0; 32]]).unwrap(),
        step.key(&Key::scratch(&amd), &[[0; 32]]).unwrap(),
        step.key(&Key::scratch(&arm), &[[0; 32]]).unwrap(),
    ];
    assert_eq!(std::collections::BTreeSet::from(keys).len(), 5);
    let error = step.key(&one, &[]).unwrap_err();
    assert_eq!(
        (error.expected, error.found, error.owner()),
        (1, 0, crate::Owner::Bug)
    );
}

#[test]
fn a_step_for_another_platform_has_another_key() {
    let with = |arch: &str| {
        let options = Options {
            platform: Platform {
                arch: arch.to_owned(),
                ..Platform::default()
            },
            ..Options::default()
        };
        let resolved = resolved_with("FROM image\nRUN x", options).unwrap();
        let parent = Key::scratch(&Platform::default());
        resolved.steps[0].key(&parent, &[[0; 32]]).unwrap()
    };
    assert_ne!(with("amd64"), with("arm64"));
}

#[test]
fn a_proxy_is_in_no_key() {
    let with = |proxy: &str| {
        let options = Options {
            args: [("https_proxy".to_owned(), proxy.to_owned())].into(),
            ..Options::default()
        };
        let resolved = resolved_with("FROM image\nARG https_proxy\nRUN x", options).unwrap();
        let start = Key::scratch(&Platform::default());
        resolved.steps[0].key(&start, &[[0; 32]]).unwrap()
    };
    assert_eq!(with("http://a"), with("http://b"));
}
