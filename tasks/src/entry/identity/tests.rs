use super::*;

fn entrant(hotkey: &str, ip: &str, owner: &str, coldkey: &str) -> Entrant {
    Entrant {
        hotkey: hotkey.to_owned(),
        coldkey: coldkey.to_owned(),
        ip: ip.parse().unwrap(),
        repository: format!("https://github.com/{owner}/r").parse().unwrap(),
        opens: false,
        enrolled: false,
    }
}

fn opening(entrant: Entrant) -> Entrant {
    Entrant {
        opens: true,
        ..entrant
    }
}

fn run(entrants: Vec<Entrant>, identities: &[Identity]) -> (String, Vec<String>) {
    let (kept, fallen) = deduplicate(entrants, identities);
    let kept: Vec<String> = kept.into_iter().map(|entrant| entrant.hotkey).collect();
    let fallen = fallen
        .into_iter()
        .map(|fell| format!("{} {:?} {}", fell.hotkey, fell.identity, fell.kept))
        .collect();
    (kept.join(" "), fallen)
}

const ALL: [Identity; 3] = [Identity::Ip, Identity::GithubOwner, Identity::Coldkey];

#[test]
fn the_first_stays_and_a_valid_token_comes_before_it() {
    let same = |hotkey| entrant(hotkey, "1.1.1.1", hotkey, hotkey);
    let (kept, fallen) = run(vec![same("a"), same("b"), same("c")], &ALL);
    assert_eq!(
        (kept.as_str(), fallen),
        ("a", vec!["b Ip a".to_owned(), "c Ip a".to_owned()])
    );
    let entrants = vec![same("a"), opening(same("b")), opening(same("c"))];
    let (kept, fallen) = run(entrants, &ALL);
    assert_eq!(
        (kept.as_str(), fallen),
        ("b", vec!["a Ip b".to_owned(), "c Ip b".to_owned()])
    );
}

#[test]
fn rules_follow_one_another_and_say_which_it_was() {
    let entrants = vec![
        entrant("a", "1.1.1.1", "Ann", "k1"),
        entrant("b", "1.1.1.1", "bob", "k2"),
        // Another case of letters is the same owner.
        entrant("c", "2.2.2.2", "aNN", "k3"),
        // Its rival fell before, so it stays.
        entrant("d", "3.3.3.3", "dan", "k2"),
        entrant("e", "4.4.4.4", "eve", "k1"),
        // An IPv4 address in IPv6.
        entrant("f", "::ffff:4.4.4.4", "fay", "k6"),
    ];
    let (kept, fallen) = run(entrants.clone(), &ALL);
    assert_eq!(kept, "a d");
    assert_eq!(
        fallen,
        ["b Ip a", "f Ip e", "c GithubOwner a", "e Coldkey a"]
    );
    assert_eq!(run(entrants.clone(), &[]).0, "a b c d e f");
    assert_eq!(run(entrants, &[Identity::Coldkey]).0, "a b c f");
}

#[test]
fn a_group_stands_where_its_first_member_stood() {
    let entrants = vec![
        entrant("a", "1.1.1.1", "a", "k1"),
        entrant("b", "2.2.2.2", "b", "k2"),
        opening(entrant("c", "1.1.1.1", "c", "k3")),
    ];
    assert_eq!(run(entrants, &ALL).0, "c b");
}

#[test]
fn those_who_are_enrolled_stay() {
    let enrolled = |hotkey| Entrant {
        enrolled: true,
        ..entrant(hotkey, "1.1.1.1", hotkey, "k")
    };
    let new = opening(entrant("new", "1.1.1.1", "new", "k"));
    let (kept, fallen) = run(vec![new, enrolled("old"), enrolled("older")], &ALL);
    assert_eq!(kept, "old older");
    assert_eq!(fallen, ["new Ip old"]);
}
