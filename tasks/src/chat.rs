//! Chat templates: conversations to text, character for character as `transformers.apply_chat_template`.
//!
//! Why this sits on minijinja directly and not on a ready-made crate: `docs/adr/0005-own-template-environment.md`.

mod date;
mod environment;
mod named;
mod tojson;

pub use date::TemplateDate;
pub use named::{named_template, template_names};

use crate::Owner;
use environment::RaisedByTemplate;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, Value as Jinja};
use serde_json::{Map, Value};
use std::error::Error as _;
use std::io;

/// Largest accepted template source, bytes. The largest known template of a released model has under 50 kB.
pub const SOURCE_BYTES_MAX: usize = 1 << 20;
/// Largest rendering, bytes.
pub const OUTPUT_BYTES_MAX: usize = 16 << 20;
/// Work that one rendering may do; a conversation of 1,000 messages needs about a tenth. Every instruction costs
/// one, and so do 64 bytes of any text that the template builds on the way.
const FUEL: u64 = 4_000_000;

/// A compiled template.
#[derive(Debug)]
pub struct ChatTemplate {
    env: Environment<'static>,
    source: String,
}

/// Why a template could not be compiled or rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The source is too long.
    #[error("chat template has {found} bytes, at most {SOURCE_BYTES_MAX} are accepted")]
    TooLarge {
        /// Its length.
        found: usize,
    },
    /// The source is not a template.
    #[error("chat template does not compile: {message}")]
    Syntax {
        /// Where and why.
        message: String,
    },
    /// The template itself refused the conversation.
    #[error("chat template refuses the conversation: {message}")]
    Raised {
        /// What it said.
        message: String,
    },
    /// The template does too much work, or never ends.
    #[error("chat template does not end within its budget of {FUEL} steps")]
    OutOfFuel,
    /// The rendering is too long.
    #[error("chat template renders more than {OUTPUT_BYTES_MAX} bytes")]
    OutputTooLarge,
    /// Rendering failed.
    #[error("chat template failed: {message}")]
    Failed {
        /// Where and why.
        message: String,
    },
    /// There is no template of this name.
    #[error("no chat template is called {name}\nhelp: known are tokenizer_default, {}", .known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The tokenizer's own template was asked for and it has none.
    #[error("the task asks for the tokenizer's own chat template, and the tokenizer has none")]
    NoTokenizerTemplate,
}

impl TemplateError {
    /// Whose fault: templates come with the task or its base model.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// What a template sees beside the messages.
#[derive(Debug, Clone, Default)]
pub struct RenderInput<'a> {
    /// Tool descriptions.
    pub tools: Option<&'a Value>,
    /// Whether to open the assistant's next turn.
    pub add_generation_prompt: bool,
    /// Further variables; special tokens belong here.
    pub variables: Map<String, Value>,
}

impl ChatTemplate {
    /// Compiles a template. `date` is what `strftime_now` reports: results do not depend on the day they are made.
    ///
    /// # Errors
    /// `TooLarge` or `Syntax`.
    pub fn new(source: &str, date: TemplateDate) -> Result<Self, TemplateError> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(TemplateError::TooLarge {
                found: source.len(),
            });
        }
        let env =
            environment::build(source, date, FUEL).map_err(|error| TemplateError::Syntax {
                message: error.to_string(),
            })?;
        Ok(Self {
            env,
            source: source.to_owned(),
        })
    }

    /// The source that it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders a conversation.
    ///
    /// # Errors
    /// `Raised`, `OutOfFuel`, `OutputTooLarge` or `Failed`.
    pub fn render(
        &self,
        messages: &[Map<String, Value>],
        input: &RenderInput<'_>,
    ) -> Result<String, TemplateError> {
        self.render_counted(messages, input).map(|(text, _)| text)
    }

    /// As [`ChatTemplate::render`], with the steps that it took.
    pub(crate) fn render_counted(
        &self,
        messages: &[Map<String, Value>],
        input: &RenderInput<'_>,
    ) -> Result<(String, u64), TemplateError> {
        let mut context = input.variables.clone();
        let messages = messages.iter().cloned().map(Value::Object).collect();
        context.insert("messages".to_owned(), Value::Array(messages));
        context.insert(
            "tools".to_owned(),
            input.tools.cloned().unwrap_or(Value::Null),
        );
        context.insert("documents".to_owned(), Value::Null);
        context.insert(
            "add_generation_prompt".to_owned(),
            Value::Bool(input.add_generation_prompt),
        );
        let template = self
            .env
            .get_template(environment::TEMPLATE_NAME)
            .expect("the environment is built with this template");
        let mut out = CappedText::default();
        match template.render_captured_to(Jinja::from(Serde(&context)), &mut out) {
            Ok(rendered) => {
                let steps = rendered
                    .state()
                    .fuel_levels()
                    .map_or(FUEL, |(used, _)| used);
                drop(rendered);
                let text = String::from_utf8(out.bytes).expect("the engine writes whole strings");
                Ok((text, steps))
            }
            Err(_) if out.full => Err(TemplateError::OutputTooLarge),
            Err(error) => Err(classify(&error)),
        }
    }
}

fn classify(error: &minijinja::Error) -> TemplateError {
    if error.kind() == ErrorKind::OutOfFuel {
        return TemplateError::OutOfFuel;
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(raised) = inner.downcast_ref::<RaisedByTemplate>() {
            return TemplateError::Raised {
                message: raised.0.clone(),
            };
        }
        if inner
            .downcast_ref::<minijinja::Error>()
            .is_some_and(|e| e.kind() == ErrorKind::OutOfFuel)
        {
            return TemplateError::OutOfFuel;
        }
        source = inner.source();
    }
    TemplateError::Failed {
        message: error.to_string(),
    }
}

#[derive(Default)]
struct CappedText {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for &mut CappedText {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + buf.len() > OUTPUT_BYTES_MAX {
            self.full = true;
            return Err(io::Error::other("rendering is too long"));
        }
        self.bytes.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
