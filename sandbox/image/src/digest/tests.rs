use super::*;

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn the_digest_of_nothing_is_the_known_one_and_reads_back() {
    assert_eq!(Digest::of(b"").to_string(), EMPTY);
    assert_eq!(EMPTY.parse(), Ok(Digest::of(b"")));
}

#[test]
fn other_spellings_and_algorithms_are_refused() {
    let long = format!("{EMPTY}0");
    for text in [
        "",
        "sha256:",
        "sha512:00",
        &EMPTY.to_uppercase(),
        &EMPTY[7..],
        &EMPTY[..70],
        &long,
        "sha256:../../../../../../../../../../../../../../../../../../../../etc/x",
    ] {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
}
