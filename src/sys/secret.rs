//! Passwords and tokens: text that no log, no `{:?}` and no error shows.

use std::fmt;

/// A password or token. Printing it for debugging gives `…`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` to itself. White space around it goes: a token file ends in a newline.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `words` with every occurrence of the secret replaced by `…`.
    #[must_use]
    pub fn redact(&self, words: &str) -> String {
        if self.0.is_empty() {
            words.to_owned()
        } else {
            words.replace(&self.0, "…")
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("hunter2\n");
        assert_eq!(format!("{secret:?}"), "…");
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(secret.redact("token hunter2 is bad"), "token … is bad");
    }

    #[test]
    fn an_empty_secret_redacts_nothing() {
        assert_eq!(Secret::default().redact("as it is"), "as it is");
    }
}
