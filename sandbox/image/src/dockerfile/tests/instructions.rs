use super::super::resolve::{CopyFrom, CopySource, CopyStep, RunStep};
use super::*;

fn run(text: &str) -> RunStep {
    match steps(text).pop().map(|s| s.action) {
        Some(Action::Run(run)) => run,
        other => panic!("{text}: {other:?}"),
    }
}

fn copy(text: &str) -> CopyStep {
    match steps(text).pop().map(|s| s.action) {
        Some(Action::Copy(copy)) => copy,
        other => panic!("{text}: {other:?}"),
    }
}

fn paths(copy: &CopyStep) -> Vec<&str> {
    let path = |s: &'_ CopySource| matches!(s, CopySource::Path(_));
    assert!(copy.sources.iter().all(path));
    copy.sources
        .iter()
        .map(|s| match s {
            CopySource::Path(path) => path.as_str(),
            _ => "",
        })
        .collect()
}

#[test]
fn run_in_shell_form_joins_its_lines_without_comments() {
    let text = "RUN apt-get update && \\\n    # what for\n    apt-get install -y a \\\n\n    b";
    assert_eq!(
        run(text).argv,
        [
            "/bin/sh",
            "-c",
            "apt-get update &&     apt-get install -y a     b"
        ]
    );
}

#[test]
fn run_in_exec_form_is_taken_as_it_is() {
    assert_eq!(
        run(r#"RUN ["a", "b $c", "\u0041\n"]"#).argv,
        ["a", "b $c", "A\n"]
    );
    // No JSON: the shell gets it, as with Docker.
    assert_eq!(run("RUN ['a', 'b']").argv[2], "['a', 'b']");
    assert_eq!(run("RUN [ -e /x ] && y").argv[2], "[ -e /x ] && y");
    assert!(refused(r#"RUN ["a", 1]"#).contains("an array of strings"));
    assert!(refused("RUN").contains("help:"));
    assert!(refused("RUN []").contains("RUN"));
}

#[test]
fn an_escape_character_behind_another_continues_nothing() {
    let steps = steps("RUN echo a \\\\\nRUN b");
    assert_eq!(steps.len(), 2);
}

#[test]
fn here_documents_of_run_are_the_script_or_its_input() {
    assert_eq!(
        run("RUN <<EOF\nUSER root\n$x\nEOF").argv[2],
        "USER root\n$x\n"
    );
    assert_eq!(run("RUN <<-EOF\n\ta\n\t\tb\n\tEOF").argv[2], "a\nb\n");
    let text = "RUN python3 - <<'EOF' > /x && cat <<B\nUSER nobody\nEOF\nb\nB";
    assert_eq!(
        run(text).argv[2],
        "python3 - <<'EOF' > /x && cat <<B\nUSER nobody\nEOF\nb\nB"
    );
    let script = run("RUN <<EOF\n#!/usr/bin/env python3\nprint(1)\nEOF");
    assert_eq!(script.argv[2], "/dev/pipes/EOF");
    assert_eq!(
        script.script.unwrap().1,
        "#!/usr/bin/env python3\nprint(1)\n"
    );
    assert!(refused("RUN <<EOF\nx").contains("a line EOF that ends"));
    assert!(refused("RUN <<../x\n#!a\n../x").contains("can name a file"));
}

#[test]
fn a_word_with_a_variable_ends_its_document_as_written() {
    for word in ["${x}", "$x", "${x:-y}"] {
        let text = format!("RUN cat <<{word}\nUSER a\n{word}\nUSER z");
        assert_eq!(steps(&text).len(), 2, "{word}");
    }
}

#[test]
fn shifts_and_here_strings_announce_no_document() {
    for text in [
        "RUN echo $((1<<2))",
        "RUN echo $((1 << 2))",
        "RUN cat <<< word",
        r#"RUN ["a", "<<EOF"]"#,
    ] {
        assert_eq!(steps(&format!("{text}\nUSER x")).len(), 2, "{text}");
    }
}

#[test]
fn mounts_are_typed() {
    let step = run(
        "WORKDIR /w\nARG v=x\nRUN --mount=type=cache,target=/c,id=$v,sharing=locked,uid=7 --mount=target=b --mount=type=tmpfs,target=/t,size=4m --mount=type=secret,id=k,required --network=none x",
    );
    assert!(step.no_network);
    let [cache, bind, tmpfs, secret] = step.mounts.as_slice() else {
        panic!("{step:?}")
    };
    assert!(!cache.read_only && bind.read_only && bind.target == "/w/b");
    assert!(
        matches!(&cache.kind, MountKind::Cache { id, sharing: Sharing::Locked, uid: 7, .. } if id == "x")
    );
    assert_eq!(step.mount_sources, [(CopyFrom::Context, "/".to_owned())]);
    assert_eq!(
        tmpfs.kind,
        MountKind::Tmpfs {
            size_bytes: Some(4 << 20)
        }
    );
    assert_eq!(secret.target, "/run/secrets/k");
}

#[test]
fn mounts_that_are_not_supported_say_what_is() {
    for (mount, part) in [
        ("type=ssh", "cache, bind, tmpfs, secret"),
        ("type=cache", "a target"),
        ("type=cache,target=/", "below the root"),
        (
            "type=bind,target=/x,sharing=shared",
            "\"sharing\" of a mount of type bind",
        ),
        (
            "type=cache,target=/x,sharing=own",
            "shared, private or locked",
        ),
        (
            "type=bind,target=/x,from=$y",
            "a variable in a mount's from",
        ),
        ("type=tmpfs,target=/x,size=big", "a size"),
        ("type=cache,target=/x,mode=9", "octal"),
        ("type=bind,target=/x,ro=perhaps", "true or false"),
        ("type=bind,target", "a value"),
        ("", "a mount's keys"),
    ] {
        let error = refused(&format!("RUN --mount={mount} x"));
        assert!(error.contains(part), "{mount}: {error}");
    }
}

#[test]
fn flags_that_are_not_supported_are_refused_by_line() {
    for (text, part) in [
        ("RUN --security=insecure x", "--security is not supported"),
        ("RUN --network=host x", "--network=none, --network=default"),
        ("RUN --device=gpu x", "no devices"),
        ("RUN --mount x", "--mount=value"),
        ("COPY --parents a b", "--parents is not supported"),
        ("COPY --exclude=*.md a b", ".dockerignore"),
        ("COPY --chown=a --chown=b x y", "--chown once"),
        ("COPY --chown='a b' x y", "without quotes"),
        ("COPY --link=maybe x y", "--link=true"),
        ("COPY --from=$x a b", "a variable in --from"),
        (
            "COPY --checksum=sha256:00 a b",
            "--checksum is not supported",
        ),
        (
            "ADD --checksum=md5:0 https://h/x /y",
            "sha256: and 64 digits",
        ),
        ("ADD --keep-git-dir=true a b", "without its history"),
        ("ENV --x=1 a=b", "a flag of ENV"),
        ("HEALTHCHECK --often CMD x", "--often is not supported"),
        ("HEALTHCHECK --interval=1s NONE", "NONE alone"),
        ("ONBUILD RUN x", "ONBUILD is not supported"),
        ("RUNS x", "RUNS is not an instruction"),
    ] {
        let error = refused(text);
        assert!(
            error.contains(part) && error.contains("help:"),
            "{text}: {error}"
        );
        assert!(error.contains("line 2"), "{error}");
    }
    assert!(matches!(
        resolved("FROM --os=x image"),
        Err(DockerfileError::Unsupported { line: 1, .. })
    ));
}

#[test]
fn copy_takes_sources_destination_and_flags() {
    let copied =
        copy("WORKDIR /w\nARG f=x\nCOPY --chown=1000:users --chmod=0755 --link ./a/$f /b* dir/");
    assert_eq!(paths(&copied), ["a/x", "b*"]);
    assert_eq!(
        (copied.destination.as_str(), copied.into_directory),
        ("/w/dir", true)
    );
    assert_eq!(
        (copied.chown.as_deref(), copied.chmod, copied.link),
        (Some("1000:users"), Some(0o755), true)
    );
    assert_eq!(paths(&copy("COPY . .")), [""]);
    assert_eq!(
        paths(&copy(r#"COPY ["a b", "c d", "/e f/"]"#)),
        ["a b", "c d"]
    );
    assert!(!copy("COPY a /b").unpack && copy("ADD a.tar.gz /b").unpack);
    assert!(!copy("COPY a /b").into_directory);
}

#[test]
fn copy_from_a_stage_or_an_image() {
    let copied = copy("COPY --from=ghcr.io/astral-sh/uv:0.8 /uv /uvx /bin/");
    assert!(
        matches!(&copied.from, CopyFrom::Image(i) if i.to_string() == "ghcr.io/astral-sh/uv:0.8")
    );
    for name in ["Tools", "0"] {
        let text = format!("FROM image AS tools\nFROM image\nCOPY --from={name} /x /y");
        let step = resolved(&text).unwrap().steps.pop().unwrap();
        assert!(matches!(
            step.action,
            Action::Copy(CopyStep {
                from: CopyFrom::Stage(0),
                ..
            })
        ));
    }
}

#[test]
fn copy_that_cannot_be_is_refused() {
    for (text, part) in [
        ("COPY a", "at least two arguments"),
        ("COPY a b /c", "end the destination with /"),
        ("COPY ../a /b", "within the context"),
        ("COPY a/../../b /c", "within the context"),
        ("COPY $none /b", "a path"),
        ("COPY a $none", "at least one blank"),
        ("COPY [a-", "at least two"),
        ("COPY a[ /b", "wildcards"),
        ("COPY https://h/x /y", "use ADD"),
        ("ADD https://h/x.git#main /y", "commit in full"),
        ("ADD https://h/x.git /y", "commit in full"),
        ("ADD https://h/x.git#ce01362503 /y", "commit in full"),
        (
            "ADD http://h/x.git#ce013625030ba8dba906f756967f9e9ca394464a /y",
            "without encryption",
        ),
        (
            "ADD https://h/x.git?ref=a#ce013625030ba8dba906f756967f9e9ca394464a /y",
            "a query",
        ),
        (
            "ADD https://h/x.git#ce013625030ba8dba906f756967f9e9ca394464a:a/../b /y",
            "within the repository",
        ),
        ("ADD git@h:x /y", "use https"),
        ("ADD ssh://git@h/x /y", "use https"),
        ("ADD https://me:pw@h/x /y", "without a user or a password"),
        ("ADD https:///x /y", "a URL"),
        ("ADD https://h /y/", "a file's name"),
        ("ADD https://h/a/ /y/", "a file's name"),
        ("ADD https://h/%2e%2e /y/", "a file's name"),
        ("ADD https://h/a%2fb /y/", "a file's name"),
        ("COPY --chmod=u+x a b", "octal"),
        ("COPY --chown=a:b:c a b", "user or user:group"),
        ("COPY --from=9 a b", "there is no stage 9"),
        ("COPY --from=UPPER/x a b", "lower case"),
        ("COPY --from=scratch a b", "which is empty"),
        ("COPY x <<EOF\na\nEOF", "write the destination last"),
        ("COPY <<a/b /x\na/b", "can name a file"),
        (
            "ADD --checksum=sha256:00000000000000000000000000000000000000000000000000000000000000aa x /y",
            "of one file",
        ),
    ] {
        if part == "at least one blank" {
            assert!(refused(text).contains("a destination"), "{text}");
            continue;
        }
        let error = refused(text);
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn files_written_in_the_dockerfile_are_expanded_unless_quoted() {
    let copied = copy("ARG v=1\nCOPY <<one <<-'two' /d/\n\"$v\" '$v' \\$v\none\n\t$v\n\ttwo");
    let file = |name: &str, content: &str| CopySource::File {
        name: name.to_owned(),
        content: content.to_owned(),
    };
    assert_eq!(
        copied.sources,
        [file("one", "\"1\" '1' $v\n"), file("two", "$v\n")]
    );
}

#[test]
fn add_from_a_url_keeps_its_checksum() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let copied = copy(&format!("ADD --checksum={digest} https://h/x?y=1 /z"));
    assert_eq!(
        copied.sources,
        [CopySource::Url {
            url: "https://h/x?y=1".to_owned(),
            name: Some("x".to_owned())
        }]
    );
    assert_eq!(copied.checksum, Some(digest));
    // Of the fragment a server hears nothing; names are what they stand for.
    let copied = copy("ADD https://h/a%20b?c#d /z");
    let url = |url: &str, name: Option<&str>| CopySource::Url {
        url: url.to_owned(),
        name: name.map(str::to_owned),
    };
    assert_eq!(copied.sources, [url("https://h/a%20b?c", Some("a b"))]);
    assert_eq!(copy("ADD https://h /z").sources, [url("https://h", None)]);
}

#[test]
fn add_from_a_repository_is_by_a_whole_commit() {
    let commit = "CE013625030ba8dba906f756967f9e9ca394464a";
    for (behind, directory) in [("", ""), (":", ""), (":/a/./b/", "a/b")] {
        let copied = copy(&format!("ADD https://h/o/x.git#{commit}{behind} /z"));
        assert_eq!(
            copied.sources,
            [CopySource::Repository {
                url: "https://h/o/x.git".to_owned(),
                commit: commit.to_lowercase(),
                directory: directory.to_owned(),
            }]
        );
    }
}

#[test]
fn workdirs_build_on_one_another() {
    for (text, expected) in [
        ("WORKDIR /a\nWORKDIR b\nWORKDIR ../c/./d", "/a/c/d"),
        ("WORKDIR x", "/x"),
        ("WORKDIR ../../x", "/x"),
        ("ENV d=/e\nWORKDIR $d/f", "/e/f"),
        ("WORKDIR \"/with blank\"", "/with blank"),
        ("WORKDIR /a//b/", "/a/b"),
    ] {
        assert_eq!(config(text).working_dir, expected, "{text}");
    }
    assert!(refused("WORKDIR $none").contains("a directory"));
    assert!(refused("WORKDIR").contains("exactly one argument"));
}

#[test]
fn shell_wraps_what_follows_it() {
    let text = "SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nCMD a | b\nENTRYPOINT [\"c\"]";
    let config = config(text);
    assert_eq!(
        config.cmd.unwrap(),
        ["/bin/bash", "-o", "pipefail", "-c", "a | b"]
    );
    assert_eq!(config.entrypoint.unwrap(), ["c"]);
    assert!(refused("SHELL /bin/bash").contains("JSON"));
}

#[test]
fn entrypoint_drops_a_cmd_that_is_not_of_this_stage() {
    let image = ImageConfig {
        cmd: Some(vec!["base".to_owned()]),
        entrypoint: Some(vec!["old".to_owned()]),
        ..ImageConfig::default()
    };
    let on = |text: &str| {
        resolved_on(text, Options::default(), &image)
            .unwrap()
            .config
    };
    assert_eq!(on("FROM image\nENTRYPOINT [\"x\"]").cmd, None);
    assert_eq!(
        on("FROM image\nCMD [\"y\"]\nENTRYPOINT [\"x\"]").cmd,
        Some(vec!["y".to_owned()])
    );
    assert_eq!(
        on("FROM image AS a\nCMD [\"y\"]\nFROM a\nENTRYPOINT [\"x\"]").cmd,
        None
    );
    assert_eq!(on("FROM image\nENTRYPOINT []").entrypoint, None);
    assert_eq!(on("FROM image\nCMD []").cmd, Some(vec![]));
    assert_eq!(
        on("FROM image\nCMD [\"y\"]").entrypoint,
        Some(vec!["old".to_owned()])
    );
}

#[test]
fn ports_volumes_labels_signals_and_authors() {
    let text = "ARG p=7000-7001\nEXPOSE 80 $p/UDP\nVOLUME [\"/a b\", \"/c\"]\nVOLUME /d /e\nLABEL a=b \"c d\"='e f'\nLABEL old form\nSTOPSIGNAL SIGINT\nMAINTAINER  Some One <x@y>\nUSER 1000:users";
    let config = config(text);
    let list = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        list(&config.exposed_ports),
        ["7000/udp", "7001/udp", "80/tcp"]
    );
    assert_eq!(list(&config.volumes), ["/a b", "/c", "/d", "/e"]);
    assert_eq!(config.labels["c d"], "e f");
    assert_eq!(config.labels["old"], "form");
    assert_eq!(config.stop_signal.as_deref(), Some("SIGINT"));
    assert_eq!(config.author.as_deref(), Some("Some One <x@y>"));
    assert_eq!(config.user, "1000:users");
}

#[test]
fn values_that_are_none_are_refused() {
    for (text, part) in [
        ("EXPOSE 70000", "the port"),
        ("EXPOSE 80/quic", "the protocol"),
        ("EXPOSE 9-8", "a range"),
        ("EXPOSE +80", "the port"),
        ("STOPSIGNAL SIGNOTHING", "a signal"),
        ("STOPSIGNAL 65", "a signal"),
        ("STOPSIGNAL SIGRTMIN+x", "a signal"),
        ("USER", "exactly one"),
        ("USER $none", "a user"),
        ("USER a b", "user or user:group"),
        ("VOLUME \"\"", "a directory"),
        ("ENV", "at least one argument"),
        ("ENV a", "a value"),
        ("ENV a=b c", "name=value"),
        ("ENV =b", "a name"),
        ("ARG =b", "a name"),
        ("LABEL a=b c", "name=value"),
        ("HEALTHCHECK", "CMD or NONE"),
        ("HEALTHCHECK CMD", "a command"),
        ("HEALTHCHECK --interval=5 CMD x", "a duration"),
        ("HEALTHCHECK --interval=1us CMD x", "at least 1ms"),
        ("HEALTHCHECK --retries=-1 CMD x", "a number"),
    ] {
        let error = refused(text);
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn health_checks_have_a_form_each() {
    let check = |text: &str| config(text).healthcheck.unwrap();
    let full = check(
        "HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=1.5s --start-interval=2s --retries=4 CMD curl -f x || exit 1",
    );
    assert_eq!(full.test, ["CMD-SHELL", "curl -f x || exit 1"]);
    assert_eq!(
        (full.interval_ns, full.timeout_ns),
        (90_000_000_000, 500_000_000)
    );
    assert_eq!(
        (full.start_period_ns, full.start_interval_ns, full.retries),
        (1_500_000_000, 2_000_000_000, 4)
    );
    assert_eq!(check("HEALTHCHECK CMD [\"a\"]").test, ["CMD", "a"]);
    assert_eq!(check("HEALTHCHECK CMD x\nHEALTHCHECK NONE").test, ["NONE"]);
}

#[test]
fn values_keep_quotes_and_escapes_apart() {
    let config =
        config("ENV a=\"x y\" b='$z' c=d\\ e f=\\\"q\nENV old $none and \"quoted\"  words");
    let env: Vec<&str> = config.env.iter().map(|(_, v)| v.as_str()).collect();
    assert_eq!(env, ["x y", "$z", "d e", "\"q", " and quoted  words"]);
}

#[test]
fn triggers_of_a_base_image_are_refused_and_named() {
    let image = ImageConfig {
        on_build: vec!["COPY . /app".to_owned()],
        ..ImageConfig::default()
    };
    let error = resolved_on("FROM python:onbuild", Options::default(), &image).unwrap_err();
    assert!(
        matches!(error, DockerfileError::BaseTriggers { line: 1, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("COPY . /app"));
}
