//! What a test tells about the host, as `NAME=VALUE`.

/// Arguments after the attack's name.
#[derive(Debug)]
pub(crate) struct Arguments {
    pairs: Vec<(String, String)>,
    /// descriptors beyond the standard ones that the program was started with
    pub(crate) descriptors: Vec<String>,
}

impl Arguments {
    pub(crate) fn new(words: impl Iterator<Item = String>, descriptors: Vec<String>) -> Arguments {
        let pairs = words
            .map(|word| match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => (word, String::new()),
            })
            .collect();
        Arguments { pairs, descriptors }
    }

    /// The value of `name`, if it was given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(key, _)| key == name)?;
        Some(&pair.1)
    }

    /// Every value of `name`.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A number, or what stands for it.
    pub(crate) fn number(&self, name: &str, otherwise: u64) -> u64 {
        self.get(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(otherwise)
    }
}
