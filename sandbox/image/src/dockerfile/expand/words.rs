//! Splitting what was expanded into words.

/// Words, and the one that is being read.
#[derive(Default)]
pub(super) struct Words {
    pub(super) word: String,
    words: Vec<String>,
    pub(super) in_word: bool,
}

impl Words {
    pub(super) fn push(&mut self, c: char) {
        if !c.is_whitespace() {
            self.push_raw(c);
        } else if self.in_word && !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
            self.in_word = false;
        }
    }

    pub(super) fn push_raw(&mut self, c: char) {
        self.word.push(c);
        self.in_word = true;
    }

    pub(super) fn finish(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.words.push(self.word);
        }
        self.words
    }
}
