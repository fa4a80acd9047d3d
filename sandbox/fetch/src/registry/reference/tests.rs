use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn shown(text: &str) -> String {
    text.parse::<Reference>()
        .unwrap_or_else(|e| panic!("{e}"))
        .to_string()
}

#[test]
fn short_names_mean_what_docker_means_by_them() {
    for (short, long) in [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
        ("axolotlai/axolotl:main", "docker.io/axolotlai/axolotl:main"),
        ("docker.io/x", "docker.io/library/x:latest"),
        ("index.docker.io/a/b", "docker.io/a/b:latest"),
        ("ghcr.io/astral-sh/uv:latest", "ghcr.io/astral-sh/uv:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x/y/z:1", "localhost:5000/x/y/z:1"),
        ("127.0.0.1:5000/x", "127.0.0.1:5000/x:latest"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        ("Registry.io/x", "registry.io/x:latest"),
        ("a__b--c/d.e", "docker.io/a__b--c/d.e:latest"),
        ("x:5000", "docker.io/library/x:5000"),
    ] {
        assert_eq!(shown(short), long);
        assert_eq!(shown(long), long, "it is stable");
    }
}

#[test]
fn a_digest_replaces_the_missing_tag_and_counts_more_than_one() {
    let at = format!("x@sha256:{HEX}");
    assert_eq!(shown(&at), format!("docker.io/library/x@sha256:{HEX}"));
    let both: Reference = format!("x:1@sha256:{HEX}").parse().unwrap();
    assert_eq!(both.tag(), Some("1"));
    assert_eq!(both.digest().unwrap().hex(), HEX);
    assert_eq!(both.at(both.digest().unwrap()), at.parse().unwrap());
}

#[test]
fn what_could_mean_another_path_or_server_is_refused() {
    let long = "a".repeat(256);
    let id = HEX;
    for wrong in [
        "",
        "/",
        "x/",
        "/x",
        "a//b",
        "UPPER",
        "Upper/x",
        "a/UPPER",
        "x:",
        "x:-1",
        "x:.1",
        "x: 1",
        "x@",
        "x@sha512:00",
        "x@sha256:00",
        "../x",
        "a/../b",
        "a/..",
        "ghcr.io/../../etc",
        "a/.b",
        "a/b_",
        "a/b___c",
        "a/b..c",
        "exa_mple.com/x",
        "-a.com/x",
        "a.com:/x",
        "a.com:0/x",
        "a.com:99999/x",
        "a.com:+80/x",
        "user@host/x",
        "https://ghcr.io/x",
        "a.com/x?y",
        "a.com/x#y",
        "a.com/x%2f",
        "a.com/x\ny",
        "ä/x",
        "[::1/x",
        "[zz]:1/x",
        "scratch",
        id,
        &long,
    ] {
        assert!(wrong.parse::<Reference>().is_err(), "{wrong:?}");
    }
}

#[test]
fn dockers_registry_answers_elsewhere() {
    let reference: Reference = "x".parse().unwrap();
    assert_eq!(reference.server(), "registry-1.docker.io");
    let reference: Reference = "ghcr.io/a/b".parse().unwrap();
    assert_eq!(reference.server(), "ghcr.io");
}
