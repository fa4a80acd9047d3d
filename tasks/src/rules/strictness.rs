use super::{EMBEDDED, RuleSet, RuleSetError, ranges};
use toml::{Table, Value};

/// Sections whose every number has a range in one table.
const RANGED: [&str; 4] = ["entry", "schedule", "resources", "attempts"];
/// Fields that a set may lack, since nobody knows their value at its time.
const OPTIONAL: [&str; 1] = ["emission.audit_cosine_min"];

fn path(keys: &[Step]) -> String {
    let names = keys.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Item(_) => None,
    });
    names.collect::<Vec<_>>().join(".")
}

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Item(usize),
}

/// Every value below a table, with the way to it.
fn walk(value: &Value, way: &mut Vec<Step>, found: &mut Values) {
    if !way.is_empty() {
        found.push((way.clone(), value.clone()));
    }
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                way.push(Step::Key(key.clone()));
                walk(value, way, found);
                way.pop();
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                way.push(Step::Item(index));
                walk(value, way, found);
                way.pop();
            }
        }
        _ => {}
    }
}

/// Every value of a file, with the way to it.
type Values = Vec<(Vec<Step>, Value)>;

fn sets() -> Vec<(&'static str, Table, Values)> {
    EMBEDDED
        .iter()
        .map(|(name, text)| {
            let table: Table = text.parse().unwrap();
            let mut found = Vec::new();
            walk(&Value::Table(table.clone()), &mut Vec::new(), &mut found);
            (*name, table, found)
        })
        .collect()
}

fn at<'a>(value: &'a mut Value, way: &[Step]) -> &'a mut Value {
    way.iter().fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()).unwrap(),
        Step::Item(index) => value.get_mut(*index).unwrap(),
    })
}

fn load(name: &str, table: &Value) -> Result<RuleSet, RuleSetError> {
    RuleSet::from_toml(name, &toml::to_string(table).unwrap())
}

#[test]
fn each_field_of_each_set_is_needed() {
    let mut removed = 0;
    for (name, table, values) in sets() {
        for (way, _) in values {
            let Some((Step::Key(key), parent)) = way.split_last() else {
                continue;
            };
            let mut table = Value::Table(table.clone());
            at(&mut table, parent).as_table_mut().unwrap().remove(key);
            let field = path(&way);
            if OPTIONAL.contains(&field.as_str()) {
                assert!(load(name, &table).is_ok(), "{name} without {field}");
                continue;
            }
            let error = load(name, &table).unwrap_err().to_string();
            assert!(
                error.contains(key.as_str()),
                "{name} without {field}: {error}"
            );
            removed += 1;
        }
    }
    assert!(removed > 300, "{removed}");
}

#[test]
fn no_table_of_any_set_takes_another_field() {
    for (name, table, mut values) in sets() {
        values.push((Vec::new(), Value::Table(table.clone())));
        for (way, value) in values {
            if !value.is_table() {
                continue;
            }
            let mut table = Value::Table(table.clone());
            let extra = at(&mut table, &way).as_table_mut().unwrap();
            extra.insert("surplus".to_owned(), Value::Integer(1));
            let error = load(name, &table).unwrap_err().to_string();
            assert!(error.contains("surplus"), "{name}, {}: {error}", path(&way));
        }
    }
}

#[test]
fn each_number_is_held_to_its_range_and_the_message_says_all_of_it() {
    let mut pushed = 0;
    for (name, table, values) in sets() {
        for (way, value) in values {
            let field = path(&way);
            let section = field.split('.').next().unwrap();
            if !(value.is_integer() || value.is_float()) {
                continue;
            }
            if RANGED.contains(&section) {
                assert!(ranges::has(&field), "{field} has no range");
            }
            if !ranges::has(&field) {
                continue;
            }
            for wrong in [
                Value::Integer(i64::MIN),
                Value::Integer(i64::MAX),
                Value::Integer(-1_001),
                Value::Float(f64::NAN),
                Value::Float(f64::INFINITY),
                Value::Float(-1e9),
            ] {
                let mut table = Value::Table(table.clone());
                *at(&mut table, &way) = wrong.clone();
                let error = load(name, &table).unwrap_err();
                let text = error.to_string();
                let RuleSetError::OutOfRange {
                    field: named,
                    found,
                    expected,
                    ..
                } = error
                else {
                    panic!("{name}, {field} = {wrong}: {text}");
                };
                assert_eq!((named, found), (field.as_str(), wrong.to_string()));
                assert!(
                    expected.contains(" to ") && text.contains(expected),
                    "{text}"
                );
                pushed += 1;
            }
        }
    }
    assert!(pushed > 1_000, "{pushed}");
}

#[test]
fn bands_lists_and_times_must_make_sense() {
    let newest = RuleSet::newest_name();
    let text = EMBEDDED[1].1;
    for (from, to, field) in [
        (
            "billions_max = 12.0, gpus = 2",
            "billions_max = 4.0, gpus = 2",
            "resources.training.bands",
        ),
        (
            "billions_max = 12.0, gpus = 2",
            "billions_max = 12.0, gpus = 1",
            "resources.training.bands",
        ),
        (
            "above_gpus = 8",
            "above_gpus = 4",
            "resources.training.bands",
        ),
        (
            "params_below = 70_000_000_000",
            "params_below = 7",
            "resources.evaluation.bands",
        ),
        (
            "billions_below = 4.0",
            "billions_below = 0.5",
            "resources.hours.text.overhead_bands",
        ),
        (
            "overhead_above_hours = 0.75",
            "overhead_above_hours = 0.5",
            "resources.hours.text.overhead_bands",
        ),
        (
            "hours_min = 0.5\nhours_max = 6.0",
            "hours_min = 7.0\nhours_max = 6.0",
            "resources.hours.text.hours_max",
        ),
        (
            "measured_min = 0.33",
            "measured_min = 3.1",
            "resources.hours.text.measured_max",
        ),
        (
            "above_hours = 6.0",
            "above_hours = 1.0",
            "resources.hours.grpo.bands",
        ),
        (
            "images_max = 50",
            "images_max = 9",
            "resources.hours.image.images_max",
        ),
        ("\"qwen-image\"", "\"\"", "resources.hours.image.longer"),
        ("\"11:00\"", "\"24:00\"", "schedule.text.time_utc"),
        ("\"11:00\"", "\"+1:00\"", "schedule.text.time_utc"),
        ("\"13:00\"", "\"1300\"", "schedule.image.time_utc"),
        ("[\"ip\", ", "[\"coldkey\", ", "entry.deduplicate"),
        (
            "\"--repo\", \"{repo}\"",
            "\"--repo\"",
            "entry.obfuscation.arguments",
        ),
        (
            "\"NOTICE.txt\"",
            "\"a/NOTICE\"",
            "entry.licence.notice_names",
        ),
        (
            "\"LICENSE\", \"license.md\"",
            "\"\", \"license.md\"",
            "entry.licence.licence_names",
        ),
        ("\".png\"", "\"png\"", "entry.duplicates.excluded_suffixes"),
        ("\".png\"", "\".PNG\"", "entry.duplicates.excluded_suffixes"),
        ("\"venv\",\n", "\"\",\n", "entry.duplicates.excluded_parts"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = RuleSet::from_toml(newest, &text.replacen(from, to, 1)).unwrap_err();
        let RuleSetError::OutOfRange { field: named, .. } = &error else {
            panic!("{to}: {error}");
        };
        assert_eq!(*named, field, "{to}: {error}");
    }
}

#[test]
fn what_differed_in_december_2025_does() {
    let [old, new] = [EMBEDDED[0].0, EMBEDDED[1].0].map(|name| RuleSet::named(name).unwrap());
    assert!(old.entry.deduplicate.is_empty() && new.entry.one_per_coldkey());
    let field = |rules: &RuleSet| match rules.entry.text {
        super::TypeEntry::Open { field_min, fee_rao } => (field_min, fee_rao),
        super::TypeEntry::None {} => panic!("text tournaments"),
    };
    assert_eq!(
        (field(&old), field(&new)),
        ((8, 200_000_000), (4, 700_000_000))
    );
    assert_eq!(old.entry.environment, super::TypeEntry::None {});
    let attempts = |rules: &RuleSet| {
        let rules = rules.attempts;
        (
            rules.trains_again(1),
            rules.trains_again(2),
            rules.evaluates_again(3),
            rules.evaluates_again(4),
        )
    };
    assert_eq!(attempts(&old), (true, false, true, false));
    assert_eq!(attempts(&new), (true, false, false, false));
    assert!(
        !old.attempts.plays_again(0) && new.attempts.plays_again(2) && !new.attempts.plays_again(3)
    );
}

#[test]
fn whatever_a_text_is_a_loader_for_fuzzers_returns() {
    use crate::entry::fuzzing::rule_set;
    let text = EMBEDDED[1].1;
    rule_set(text.as_bytes());
    for at in (0..text.len()).step_by(211) {
        rule_set(&text.as_bytes()[..at]);
        let mut changed = text.as_bytes().to_vec();
        changed[at] = b'9';
        rule_set(&changed);
    }
    rule_set(b"\xff");
}
