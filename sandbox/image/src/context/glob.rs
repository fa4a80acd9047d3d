//! Patterns as Go's `filepath.Match` reads them: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before any character.
//!
//! None of them matches `/`. Matching takes at most the product of the two lengths: of several `*`, only the last is tried
//! again.

/// Longest pattern.
pub const PATTERN_BYTES_MAX: usize = 4096;

/// Why a pattern is refused.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the messages say it
pub enum PatternError {
    #[error("it is {bytes} bytes long, the limit is {PATTERN_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error(
        "[ is not closed, is empty, or holds a range from high to low\nhelp: put a backslash before [ that is part of a name"
    )]
    Brackets,
    #[error("it ends with a backslash\nhelp: put a character behind it")]
    Escape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// Any number of characters.
    Any,
    /// One character.
    One,
    /// This one.
    Char(char),
    /// One of these ranges, or none of them.
    Class(Vec<(char, char)>, bool),
    /// Components with a slash behind each, or none: `**` of `.dockerignore`.
    Deep,
    /// Anything at all: `**` before plain text at the start.
    All,
}

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
    /// It ends with `**`, which matches whatever follows.
    open: bool,
}

impl Glob {
    /// A pattern of `COPY`.
    ///
    /// # Errors
    /// What [`PatternError`] says.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        Ok(Glob {
            tokens: tokens(pattern, false)?,
            open: false,
        })
    }

    /// A pattern of `.dockerignore`, where `**` crosses directories.
    ///
    /// # Errors
    /// What [`PatternError`] says.
    pub fn deep(pattern: &str) -> Result<Self, PatternError> {
        let mut tokens = tokens(pattern, true)?;
        // Docker takes `**name` for all that ends with `name`, while `**/name` and `**na*` begin at a component.
        let text = tokens.iter().skip(1).all(|t| matches!(t, Token::Char(_)));
        if pattern.starts_with("**") && !pattern.starts_with("**/") && text && tokens.len() > 1 {
            tokens[0] = Token::All;
        }
        let open = tokens.last() == Some(&Token::Deep);
        if open {
            tokens.pop();
        }
        Ok(Glob { tokens, open })
    }

    /// The only text that it matches, if it holds no wildcard.
    pub fn plain(&self) -> Option<String> {
        let char = |token: &Token| match token {
            Token::Char(c) => Some(*c),
            _ => None,
        };
        self.tokens
            .iter()
            .map(char)
            .collect::<Option<String>>()
            .filter(|_| !self.open)
    }

    /// Whether all of `path` matches.
    pub fn matches(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        // Which places of the path the tokens so far can end at: linear in the path for each token, whatever the pattern.
        let mut at = vec![false; path.len() + 1];
        at[0] = true;
        for token in &self.tokens {
            let mut next = vec![false; path.len() + 1];
            let mut open = false;
            for i in 0..=path.len() {
                match token {
                    Token::Any => {
                        open |= at[i];
                        next[i] = open;
                        open &= path.get(i).is_some_and(|c| *c != '/');
                    }
                    Token::Deep => {
                        next[i] = at[i] || open && i > 0 && path[i - 1] == '/';
                        open |= at[i];
                    }
                    Token::All => {
                        open |= at[i];
                        next[i] = open;
                    }
                    _ if at[i] && path.get(i).is_some_and(|c| one(token, *c)) => next[i + 1] = true,
                    _ => {}
                }
            }
            at = next;
        }
        at[path.len()] || self.open && at.contains(&true)
    }
}

fn one(token: &Token, c: char) -> bool {
    match token {
        Token::One => c != '/',
        Token::Char(char) => *char == c,
        Token::Class(ranges, negated) => {
            c != '/' && ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
        }
        Token::Any | Token::Deep | Token::All => false,
    }
}

fn tokens(pattern: &str, deep: bool) -> Result<Vec<Token>, PatternError> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(PatternError::TooLong {
            bytes: pattern.len(),
        });
    }
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            '*' if deep && chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                Token::Deep
            }
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Char(chars.next().ok_or(PatternError::Escape)?),
            '[' => class(&mut chars)?,
            c => Token::Char(c),
        };
        // Two in a row say the same as one.
        if !matches!(token, Token::Any | Token::Deep) || tokens.last() != Some(&token) {
            tokens.push(token);
        }
    }
    Ok(tokens)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn member(chars: &mut Chars<'_>) -> Result<char, PatternError> {
    match chars.next() {
        Some('\\') => chars.next().ok_or(PatternError::Brackets),
        None | Some('-' | ']') => Err(PatternError::Brackets),
        Some(c) => Ok(c),
    }
}

fn class(chars: &mut Chars<'_>) -> Result<Token, PatternError> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
            return Ok(Token::Class(ranges, negated));
        }
        let low = member(chars)?;
        let high = match chars.next_if_eq(&'-') {
            None => low,
            Some(_) => member(chars)?,
        };
        if low > high {
            return Err(PatternError::Brackets);
        }
        ranges.push((low, high));
    }
}
